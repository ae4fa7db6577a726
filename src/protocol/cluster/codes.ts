import { judgeBy } from '../../connection/verdicts.js'

/** What the code of a topic in a Metadata answer tells about it. */
type TopicVerdict =
  | 'known'
  /** Not there, or made so lately that this broker has not heard of it. */
  | 'denied'
  /** No topic can have that name. */
  | 'impossible'
  | 'forbidden'
  /** There, and not all of it can be seen now. */
  | 'not-yet'

export const judgeTopicCode = judgeBy<TopicVerdict>(
  {
    NONE: 'known',
    UNKNOWN_TOPIC_OR_PARTITION: 'denied',
    INVALID_TOPIC_EXCEPTION: 'impossible',
    TOPIC_AUTHORIZATION_FAILED: 'forbidden',
    CLUSTER_AUTHORIZATION_FAILED: 'forbidden',
  },
  'not-yet',
)

/** What the code of a FindCoordinator answer calls for. */
type FindCoordinatorVerdict = 'found' | 'ask-again' | 'refused'

/** Only what is known to pass is waited for: everything else would be waited for in vain. */
export const judgeFindCoordinatorCode = judgeBy<FindCoordinatorVerdict>(
  {
    NONE: 'found',
    // It does not exist yet, or is being elected.
    COORDINATOR_NOT_AVAILABLE: 'ask-again',
    COORDINATOR_LOAD_IN_PROGRESS: 'ask-again',
    NOT_COORDINATOR: 'ask-again',
    LEADER_NOT_AVAILABLE: 'ask-again',
    REQUEST_TIMED_OUT: 'ask-again',
    NETWORK_EXCEPTION: 'ask-again',
  },
  'refused',
)
