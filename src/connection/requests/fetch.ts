import type { RecordBatch } from '../../message/record.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'
import type { Broker, LeaderHint } from './metadata.js'

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
/** How a request goes on with, or begins, a session, in which the broker remembers what it was asked for. */
export interface FetchSessionPart {
  /** 0: there is none yet. */
  readonly id: number
  /** 0: `partitions` is all, for a new session in place of that one. Above: it is only what is new, or asked otherwise. */
  readonly epoch: number
  /** What is not asked for any more. */
  readonly forgotten: readonly FetchPartition[]
  /** Topics go by their ids in all requests of a session, or in none. */
  readonly isById: boolean
  /** Not sent: all that the broker remembers once it has the request. */
  readonly all: ReadonlyMap<string, FetchPartition>
  /** Not sent: the name of any topic that an answer may be of. */
  readonly topicOf: (topicId: string) => string | undefined
}
export interface FetchRequest {
  readonly api: 'fetch'
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly isolation: IsolationLevel
  /** Where the reader is, in the words of the brokers' `broker.rack`; missing or empty: nobody is to be sent elsewhere. */
  readonly rackId?: string | undefined
  readonly partitions: readonly FetchPartition[]
  /** Missing: the request stands alone, and touches no session. */
  readonly session?: FetchSessionPart | undefined
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
/**
 * Stored bytes that could not be read. `corrupt-record`: they are damaged. The others are whole, and only not readable here:
 * `no-codec`: of a compression that is not known, `codec-failed`: a codec that was put in failed, `unknown-format`: of
 * another message format.
 */
export interface Unreadable {
  readonly code: 'corrupt-record' | 'no-codec' | 'codec-failed' | 'unknown-format'
  readonly reason: string
}
export interface FetchedPartition extends TopicPartition, WithError {
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** Under read-committed: transactions that overlap these batches and were aborted. */
  readonly abortedTransactions: readonly { readonly producerId: number; readonly firstOffset: number }[]
  readonly batches: readonly FetchedBatch[]
  /** Why reading stopped before the end of what was stored; `batches` holds what was good before it. */
  readonly unreadable: Unreadable | null
  /** Encoded size of this partition's part of the answer. */
  readonly sizeBytes: number
  /** A follower nearer to the reader's rack, which is to be asked instead; -1 or missing: none. Told by leaders alone. */
  readonly preferredReadReplica?: number | undefined
  /** Told by brokers from Kafka 3.7 on with the error that they do not lead it, or not in that epoch. */
  readonly currentLeader?: LeaderHint | undefined
}
export interface FetchAnswer extends Throttled, WithError {
  /** In which session the broker remembers what it was asked for; 0 or missing: in none. */
  readonly sessionId?: number | undefined
  /** Of a request that went on with a session: those alone of which there is something new. */
  readonly partitions: readonly FetchedPartition[]
  /** Where the current leaders listen that are told. */
  readonly nodeEndpoints?: readonly Broker[] | undefined
}
