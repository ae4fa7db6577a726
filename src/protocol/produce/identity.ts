import type { DriverError } from '../../errors.js'
import type { TransactionVersion } from '../../connection/requests/transactions.js'
import type { TopicPartition } from '../../message/topic-partition.js'

/** What stands in the header of a batch and lets a broker tell a repeat from a new batch. */
export interface Stamp {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** The transaction that batches of now belong to. */
export interface TransactionMark {
  readonly transactionalId: string
  readonly version: TransactionVersion
}

/** A batch that cannot go on before its partition has an identity. */
export interface IdentityWaiter {
  identityReady(): void
  /** Asking again will not help. */
  identityRefused(problem: DriverError): void
  /** Why there is none yet; asking goes on. */
  identityDelayed(problem: DriverError): void
}

/**
 * Who a producer is to the brokers, and what it does when nobody can tell whether a batch was stored. One batch of a
 * partition is out at a time, and each of its ends is told here before the next one asks for its stamp:
 *
 * | told      | the batch                                                | what follows                                   |
 * |-----------|----------------------------------------------------------|------------------------------------------------|
 * | `stored`  | is in the log                                            | the next one continues after it                |
 * | (nothing) | is certainly not stored, and the broker knows us         | the next one takes its place                   |
 * | `doubt`   | may be in the log, or get there later                    | nothing may be stored before it that is newer  |
 * | `refused` | is not stored: the broker's memory of us is another      | says whether the batch may go under a new stamp|
 */
export interface Identity {
  /** `null`: batches go without a transaction. */
  readonly transaction: TransactionMark | null
  /** One partition's part of it; the same object for the same partition. */
  of(place: TopicPartition): PartitionIdentity
  close(): void
}

/** `lost-state`: the broker does not remember what we wrote before. `fenced`: it knows a newer one of us. */
export type IdentityRefusal = 'lost-state' | 'fenced'

export interface PartitionIdentity {
  readonly isTransactional: boolean
  /** Whether a batch can be stamped. If not, `waiter` is told once when it can, or that it never will. */
  ready(waiter: IdentityWaiter): boolean
  stopWaiting(waiter: IdentityWaiter): void
  /** For the batch that goes out next. Uses up nothing: a batch that is certainly not stored gives it back. */
  stamp(): Stamp
  /** @param baseOffset `null` when the broker did not tell. */
  stored(recordCount: number, baseOffset: number | null): void
  /** @param reason a name from a bounded set, for metrics. */
  doubt(reason: string): void
  /** A batch that no attempt can have stored was refused for who we are. */
  refused(refusal: IdentityRefusal, reason: string): 'go-again' | 'give-up'
}
