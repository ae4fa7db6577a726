import type { BrokerCodeName } from '../../connection/broker-error.js'
import { judgeBy } from '../../connection/verdicts.js'

/**
 * What an answer's code means for the batch it came for.
 *
 * - `stored`: it is in the log.
 * - `duplicate`: the broker has this sequence already; stored, if an earlier attempt may have put it there.
 * - `retry`: send again as it was.
 * - `refresh`: ask for metadata, then send again as it was.
 * - `lost-state`: the broker does not remember what we wrote before this batch.
 * - `fenced`: the broker knows a newer epoch of our producer id.
 * - `fail`: sending again cannot help.
 * - `unlisted`: nobody knows. Where brokers drop repeats it does no harm to send again as it was.
 */
export type ProduceAction = 'stored' | 'duplicate' | 'retry' | 'refresh' | 'lost-state' | 'fenced' | 'fail' | 'unlisted'

export interface ProduceCode {
  readonly action: ProduceAction
  /** Can the attempt that was answered so have put the batch into the log? `never` only where a broker checks before it writes. */
  readonly appended: 'never' | 'maybe'
  /** What a person can do about it. */
  readonly fix?: string
}

const table: Partial<Record<BrokerCodeName, ProduceCode>> = {
  NONE: { action: 'stored', appended: 'maybe' },
  DUPLICATE_SEQUENCE_NUMBER: { action: 'duplicate', appended: 'never' },

  // The leader moved, is not there yet, or lost its disk. It may have written the batch before it noticed.
  NOT_LEADER_OR_FOLLOWER: { action: 'refresh', appended: 'maybe' },
  LEADER_NOT_AVAILABLE: { action: 'refresh', appended: 'maybe' },
  REPLICA_NOT_AVAILABLE: { action: 'refresh', appended: 'maybe' },
  BROKER_NOT_AVAILABLE: { action: 'refresh', appended: 'maybe' },
  UNKNOWN_TOPIC_OR_PARTITION: { action: 'refresh', appended: 'maybe' },
  UNKNOWN_TOPIC_ID: { action: 'refresh', appended: 'maybe' },
  INCONSISTENT_TOPIC_ID: { action: 'refresh', appended: 'maybe' },
  FENCED_LEADER_EPOCH: { action: 'refresh', appended: 'maybe' },
  UNKNOWN_LEADER_EPOCH: { action: 'refresh', appended: 'maybe' },
  KAFKA_STORAGE_ERROR: { action: 'refresh', appended: 'maybe' },
  NETWORK_EXCEPTION: { action: 'refresh', appended: 'maybe' },

  // Written, and the in-sync replicas did not follow in time.
  REQUEST_TIMED_OUT: { action: 'retry', appended: 'maybe' },
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: { action: 'retry', appended: 'maybe' },

  // Checked before anything is written, and may get better.
  NOT_ENOUGH_REPLICAS: { action: 'retry', appended: 'never', fix: 'bring back replicas, or lower min.insync.replicas' },
  CORRUPT_MESSAGE: { action: 'retry', appended: 'never', fix: 'check the network and the compression codec' },
  THROTTLING_QUOTA_EXCEEDED: { action: 'retry', appended: 'never', fix: 'raise the quota, or send less' },
  CONCURRENT_TRANSACTIONS: { action: 'retry', appended: 'never' },

  // Checked before anything is written, and does not get better by itself.
  MESSAGE_TOO_LARGE: {
    action: 'fail',
    appended: 'never',
    fix: "raise the topic's max.message.bytes, or send less at once",
  },
  RECORD_LIST_TOO_LARGE: {
    action: 'fail',
    appended: 'never',
    fix: "raise the topic's segment.bytes, or send less at once",
  },
  INVALID_RECORD: { action: 'fail', appended: 'never', fix: 'a compacted topic needs a key in every record' },
  INVALID_TIMESTAMP: {
    action: 'fail',
    appended: 'never',
    fix: "send a timestamp within the topic's message.timestamp.before.max.ms and after.max.ms",
  },
  INVALID_TOPIC_EXCEPTION: { action: 'fail', appended: 'never', fix: 'use a topic name that Kafka allows' },
  INVALID_REQUIRED_ACKS: { action: 'fail', appended: 'never', fix: "use acks 'all', 1 or 0" },
  INVALID_REQUEST: { action: 'fail', appended: 'never' },
  POLICY_VIOLATION: { action: 'fail', appended: 'never' },
  UNSUPPORTED_VERSION: {
    action: 'fail',
    appended: 'never',
    fix: "the topic's message format is too old, or the broker too new for this tidemark",
  },
  UNSUPPORTED_FOR_MESSAGE_FORMAT: { action: 'fail', appended: 'never', fix: 'upgrade log.message.format.version' },
  UNSUPPORTED_COMPRESSION_TYPE: { action: 'fail', appended: 'never', fix: 'choose another compression' },
  TOPIC_AUTHORIZATION_FAILED: { action: 'fail', appended: 'never', fix: 'grant WRITE on the topic' },
  CLUSTER_AUTHORIZATION_FAILED: { action: 'fail', appended: 'never', fix: 'grant IDEMPOTENT_WRITE on the cluster' },
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: {
    action: 'fail',
    appended: 'never',
    fix: 'grant WRITE on the transactional id',
  },
  // The broker looks at who asks before it looks at what is asked.
  ILLEGAL_SASL_STATE: {
    action: 'retry',
    appended: 'never',
    fix: 'check config.sasl: the session was not authenticated',
  },
  SECURITY_DISABLED: { action: 'fail', appended: 'never' },
  INVALID_TXN_STATE: { action: 'fail', appended: 'never' },
  TRANSACTION_ABORTABLE: { action: 'fail', appended: 'never', fix: 'abort the transaction' },

  // The sequence does not continue what the broker has: it lost the end of its log, or its memory of this producer.
  OUT_OF_ORDER_SEQUENCE_NUMBER: { action: 'lost-state', appended: 'never' },
  UNKNOWN_PRODUCER_ID: { action: 'lost-state', appended: 'never' },

  INVALID_PRODUCER_EPOCH: { action: 'fenced', appended: 'never' },
  PRODUCER_FENCED: { action: 'fenced', appended: 'never' },
  INVALID_PRODUCER_ID_MAPPING: { action: 'fenced', appended: 'never' },
  TRANSACTION_COORDINATOR_FENCED: { action: 'fenced', appended: 'never' },
}

/** Nobody knows what a code that is not in the table means, so nothing is claimed. */
const unlisted: ProduceCode = { action: 'unlisted', appended: 'maybe' }

/** Guarantees, rule 5: the one place that says what a code in a Produce answer means. */
export const produceCode = judgeBy(table, unlisted)
