import type { OutgoingRecords } from '../../message/record.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'
import type { Broker, LeaderHint } from './metadata.js'
import type { TransactionVersion } from './transactions.js'

/** Kafka's codecs. More may come. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
/** One record batch. The same object is sent again on a retry, so an encoder may keep its bytes beside it (WeakMap). */
export interface ProduceBatch extends TopicPartition {
  /** -1 without idempotence. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
  readonly compression: Compression
  readonly records: OutgoingRecords
}
export interface ProduceRequest {
  readonly api: 'produce'
  /** With 0 the broker does not answer: the answer resolves once the bytes were handed to the socket, with no partitions. */
  readonly acks: -1 | 0 | 1
  /** How long the broker may wait for the in-sync replicas. */
  readonly timeoutMs: number
  readonly transactionalId: string | null
  /** Of the transaction; missing without one. */
  readonly transactionVersion?: TransactionVersion
  readonly batches: readonly ProduceBatch[]
}
/** One record of a batch that a broker refused; the others of the batch are not stored either, though nothing is wrong with them. */
export interface RefusedRecord {
  /** Its place in the batch. */
  readonly index: number
  readonly message: string | null
}
export interface ProducedPartition extends TopicPartition, WithError {
  /** -1 when the broker does not know it (DUPLICATE_SEQUENCE_NUMBER of an old batch). */
  readonly baseOffset: number
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTime: number
  readonly logStartOffset: number
  /** Which records made the broker refuse the batch. Empty when it does not tell, as brokers before Kafka 2.4 never do. */
  readonly recordErrors: readonly RefusedRecord[]
  /** What the broker says about the error, in its own words. */
  readonly errorMessage: string | null
  /** Told by brokers from Kafka 3.7 on with the error that they do not lead it. */
  readonly currentLeader?: LeaderHint | undefined
}
export interface ProduceAnswer extends Throttled {
  readonly partitions: readonly ProducedPartition[]
  /** Where the current leaders listen that are told. */
  readonly nodeEndpoints?: readonly Broker[] | undefined
}
