import { judgeBy } from '../../connection/verdicts.js'

/** What the code of one topic tells in the answer to a request that makes, grows or deletes topics. */
interface TopicChangeVerdict {
  readonly end: 'done' | 'ask-again' | 'refused'
  /** The controller gave up waiting: the change may come to pass all the same. */
  readonly inDoubt?: true
  /** What a person can do about it. */
  readonly fix?: string
}

/** Which codes say that there was nothing to do depends on the change, so its caller looks at them first. */
export const judgeTopicChangeCode = judgeBy<TopicChangeVerdict>(
  {
    NONE: { end: 'done' },
    NOT_CONTROLLER: { end: 'ask-again' },
    REQUEST_TIMED_OUT: { end: 'ask-again', inDoubt: true },
    THROTTLING_QUOTA_EXCEEDED: { end: 'ask-again' },
    NETWORK_EXCEPTION: { end: 'ask-again' },
    BROKER_NOT_AVAILABLE: { end: 'ask-again' },
    INVALID_REPLICATION_FACTOR: {
      end: 'refused',
      fix: 'use a replication factor of at most the number of brokers',
    },
    TOPIC_AUTHORIZATION_FAILED: { end: 'refused', fix: 'grant this client CREATE, ALTER and DELETE as needed' },
    CLUSTER_AUTHORIZATION_FAILED: { end: 'refused', fix: 'grant this client CREATE on the cluster' },
    INVALID_TOPIC_EXCEPTION: {
      end: 'refused',
      fix: 'use 1 to 249 of the characters a-z A-Z 0-9 . _ -, of which Kafka takes . and _ for the same',
    },
    TOPIC_DELETION_DISABLED: { end: 'refused', fix: "set the broker's delete.topic.enable" },
  },
  { end: 'refused' },
)
