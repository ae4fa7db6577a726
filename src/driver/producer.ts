import type { Compression, RefusedRecord } from '../connection/requests/produce.js'
import type { DriverError, FencedError } from '../errors.js'
import type { OutgoingRecords } from '../message/record.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { ClientSettings } from './client-settings.js'
import type { DriverTransactions } from './transactions.js'

/** What a driver makes a producer of; times in milliseconds. */
export interface ProducerSettings extends ClientSettings {
  readonly acks: -1 | 0 | 1
  readonly idempotent: boolean
  /** Everything is sent in transactions under this id; missing: without transactions. Needs acks -1 and idempotence. */
  readonly transactionalId?: string | undefined
  /** Without idempotence: send a batch again whose fate is not known (may store it twice), or report it `unknown`. */
  readonly retryInDoubt: boolean
  readonly compression: Compression
  /** One request to one broker; larger waits for the next request. */
  readonly maxRequestBytes: number
  /** One answer; passing it destroys the socket and retries within the batch's deadline. */
  readonly requestTimeoutMs: number
  /** How often partitions added to the topics are looked for. */
  readonly metadataMaxAgeMs: number
}

/** All records of one batch share its fate. */
export interface OutgoingBatch extends TopicPartition {
  readonly records: OutgoingRecords
  /** Encoded size without compression, and what names its partition in a request. */
  readonly sizeBytes: number
}

/** Code of a batch that ended because it was recalled. */
export const recalledCode = 'recalled'

/** How a batch ended: exactly one of three. */
export type BatchOutcome =
  | {
      readonly outcome: 'stored'
      /** `null` with acks=0, or when the broker knows the batch only as a duplicate. */
      readonly baseOffset: number | null
      /** Set when the topic uses LogAppendTime. */
      readonly logAppendTime: number | null
    }
  | {
      readonly outcome: 'not-stored'
      readonly error: DriverError | FencedError
      /** The records that made the broker refuse the batch; nothing is wrong with the others. Empty when it did not tell. */
      readonly refused?: readonly RefusedRecord[] | undefined
    }
  | { readonly outcome: 'unknown'; readonly error: DriverError | FencedError }

/** What a producer needs from a Kafka client. */
export interface DriverProducer {
  /** Of a producer with a transactional id: nothing is produced outside of one. */
  readonly transactions?: DriverTransactions | undefined
  /** Finds the cluster. Rejects with a clear error when no broker answers before `deadline` (by `clock.now()`). */
  connect(deadline: number): Promise<void>
  /** From memory; `undefined` until `loadTopic` succeeded. May grow while sending. */
  partitionCount(topic: string): number | undefined
  /** Whether the partition has a leader, as far as brokers told. Missing: nobody knows. */
  readonly hasLeader?: ((topic: string, partition: number) => boolean) | undefined
  /** Resolves to the partition count. Rejects with code `unknown-topic` when brokers go on to deny it for two seconds, or until `deadline`. */
  loadTopic(topic: string, deadline: number): Promise<number>
  /**
   * Stores one batch. The caller hands over at most one batch of a partition at a time and in order; batches of several
   * partitions share requests. Retries by itself until `deadline` (by `clock.now()`). Never rejects.
   */
  produce(batch: OutgoingBatch, deadline: number): Promise<BatchOutcome>
  /**
   * Takes back a batch that is out, unless an attempt may have stored it: it then ends soon, `not-stored` with the code
   * `recalled`, and no byte of it is sent any more. Says whether. Missing: a batch that is out cannot be taken back.
   */
  readonly recall?: ((batch: OutgoingBatch) => boolean) | undefined
  /** Ends everything: batches still out become `unknown` or `not-stored`, sockets are destroyed. Idempotent. */
  close(): Promise<void>
}
