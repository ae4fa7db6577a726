import type { RecordBatch } from '../../message/record.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'

/** Whether records of aborted and unfinished transactions are seen. More may come. */
export type IsolationLevel = 'read-uncommitted' | 'read-committed'
export interface FetchPartition extends TopicPartition {
  /** Brokers from Kafka 3.1 on refuse to read another topic of the same name. `null` when unknown. */
  readonly topicId: string | null
  /** The broker refuses to answer for another epoch of its leadership; -1 when unknown. */
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly partitionMaxBytes: number
}
export interface FetchRequest {
  readonly api: 'fetch'
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly isolation: IsolationLevel
  readonly partitions: readonly FetchPartition[]
}
/** A record batch as stored, its checksum verified. May begin before the asked offset; its records may have holes. */
export interface FetchedBatch extends RecordBatch {
  readonly baseOffset: number
  /** Last offset the batch covers, even when compaction removed that record. The next fetch starts one after it. */
  readonly lastOffset: number
  /** Of the leader that appended it. */
  readonly leaderEpoch: number
  readonly producerId: number
  readonly isTransactional: boolean
  /** What kind of control batch this is; `none` for ordinary records. Control batches have no records. */
  readonly control: 'none' | 'abort' | 'commit' | 'other'
}
export interface FetchedPartition extends TopicPartition, WithError {
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** Under read-committed: transactions that overlap these batches and were aborted. */
  readonly abortedTransactions: readonly { readonly producerId: number; readonly firstOffset: number }[]
  readonly batches: readonly FetchedBatch[]
  /** Set when the stored bytes could not be read (bad CRC, unknown format); `batches` holds what was good before it. */
  readonly corrupt: string | null
  /** Encoded size of this partition's part of the answer. */
  readonly sizeBytes: number
}
export interface FetchAnswer extends Throttled, WithError {
  readonly partitions: readonly FetchedPartition[]
}
