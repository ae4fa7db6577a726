import { judgeBy } from '../../connection/verdicts.js'

/** What the code of one partition in a ListOffsets answer calls for. */
type ListOffsetsVerdict = 'found' | 'ask-again' | 'refused'

/** Whatever is not known to be final is asked again: a leader that moves or starts has no offsets to tell. */
export const judgeListOffsetsCode = judgeBy<ListOffsetsVerdict>(
  {
    NONE: 'found',
    TOPIC_AUTHORIZATION_FAILED: 'refused',
    INVALID_TOPIC_EXCEPTION: 'refused',
    UNSUPPORTED_FOR_MESSAGE_FORMAT: 'refused',
    INVALID_REQUEST: 'refused',
    UNSUPPORTED_VERSION: 'refused',
  },
  'ask-again',
)

/** What a code in an OffsetFetch answer calls for, of the whole answer or of one partition. */
type OffsetFetchVerdict = 'told' | 'coordinator-moved' | 'ask-again' | 'refused'

/** Asked again too: a coordinator that loads, and an open transaction over the commit (UNSTABLE_OFFSET_COMMIT). */
export const judgeOffsetFetchCode = judgeBy<OffsetFetchVerdict>(
  {
    NONE: 'told',
    NOT_COORDINATOR: 'coordinator-moved',
    COORDINATOR_NOT_AVAILABLE: 'coordinator-moved',
    GROUP_AUTHORIZATION_FAILED: 'refused',
    TOPIC_AUTHORIZATION_FAILED: 'refused',
    INVALID_GROUP_ID: 'refused',
    UNSUPPORTED_VERSION: 'refused',
  },
  'ask-again',
)

/** What the code of one partition in an OffsetCommit answer tells. */
type OffsetCommitVerdict =
  | 'stored'
  /** The group has gone on without us. */
  | 'not-a-member'
  | 'rebalance'
  /** The coordinator knows us by another epoch: we are told it with the next heartbeat. */
  | 'stale-epoch'
  | 'coordinator-moved'
  | 'unknown-partition'
  | 'metadata-too-large'
  | 'commit-too-large'
  | 'forbidden'
  | 'not-stored'

/** A code that is not in the table came in an answer, so nothing was stored; its owner may commit again. */
export const judgeOffsetCommitCode = judgeBy<OffsetCommitVerdict>(
  {
    NONE: 'stored',
    UNKNOWN_MEMBER_ID: 'not-a-member',
    ILLEGAL_GENERATION: 'not-a-member',
    GROUP_ID_NOT_FOUND: 'not-a-member',
    FENCED_INSTANCE_ID: 'not-a-member',
    REBALANCE_IN_PROGRESS: 'rebalance',
    STALE_MEMBER_EPOCH: 'stale-epoch',
    NOT_COORDINATOR: 'coordinator-moved',
    COORDINATOR_NOT_AVAILABLE: 'coordinator-moved',
    UNKNOWN_TOPIC_OR_PARTITION: 'unknown-partition',
    UNKNOWN_TOPIC_ID: 'unknown-partition',
    OFFSET_METADATA_TOO_LARGE: 'metadata-too-large',
    INVALID_COMMIT_OFFSET_SIZE: 'commit-too-large',
    TOPIC_AUTHORIZATION_FAILED: 'forbidden',
    GROUP_AUTHORIZATION_FAILED: 'forbidden',
  },
  'not-stored',
)
