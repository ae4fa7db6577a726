import type { TopicPartition } from '../../../message/topic-partition.js'

/**
 * What is on record of one transactional id, and which state follows which:
 *
 * | state          | leaves it                                                                                       |
 * |----------------|-------------------------------------------------------------------------------------------------|
 * | Empty          | a partition is added → Ongoing · an abort of nothing → PrepareAbort                             |
 * | Ongoing        | commit → PrepareCommit · abort, timeout, another owner → PrepareAbort                           |
 * | PrepareCommit  | every partition has its marker → CompleteCommit                                                 |
 * | PrepareAbort   | every partition has its marker → CompleteAbort                                                  |
 * | CompleteCommit | as Empty, to which another owner leads                                                          |
 * | CompleteAbort  | the same                                                                                        |
 *
 * Kafka knows two more: PrepareEpochFence is the moment between the decision to fence an owner and the write of
 * PrepareAbort, which is one step here; Dead is an id that expires, which is taken away at once. More may come.
 */
export type TransactionState =
  'Empty' | 'Ongoing' | 'PrepareCommit' | 'PrepareAbort' | 'CompleteCommit' | 'CompleteAbort'

/** What a transaction writes to: a partition, or the offsets of a group. */
export type Participant =
  ({ readonly kind: 'partition' } & TopicPartition) | { readonly kind: 'offsets'; readonly groupId: string }

export interface Transaction {
  readonly state: TransactionState
  readonly producerId: number
  /** The id before it, whose epochs were used up; -1. */
  readonly previousProducerId: number
  /** The id that follows when the transaction is ended; -1 for the same. */
  readonly nextProducerId: number
  readonly epoch: number
  /** The epoch that its owner had before; -1 when a repeat of that owner's request counts no more. */
  readonly lastEpoch: number
  readonly timeoutMs: number
  readonly participants: ReadonlyMap<string, Participant>
  /** When the first participant was added; the timeout counts from here. -1 before. */
  readonly startedAt: number
}

/** Who asks to go on, by the id and epoch it has; both -1 when it asks as a new owner. */
export interface Owner {
  readonly producerId: number
  readonly epoch: number
}

/** What a request comes to. What is written takes effect when the coordinator's log has it. */
export type Verdict =
  | { readonly kind: 'refused'; readonly errorCode: number }
  /** Carried out before: the answer tells how things are. */
  | { readonly kind: 'known' }
  | { readonly kind: 'write'; readonly next: Transaction }
  /** Written, but whoever asked has to ask again: the owner before it was fenced. */
  | { readonly kind: 'fence'; readonly next: Transaction }

export const noProducerId = -1
export const noEpoch = -1

/** The highest epoch that an owner is given; one more is Kafka's own while it ends the last transaction of a producer id. */
export const lastUsableEpoch = 32_766

export function hasEpochsLeft({ epoch }: Transaction): boolean {
  return epoch < lastUsableEpoch
}

export function isEnding({ state }: Transaction): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort'
}

/** A text that is equal for equal participants. */
export function participantKey(participant: Participant): string {
  return participant.kind === 'offsets'
    ? `offsets of ${participant.groupId}`
    : `${participant.topic}-${participant.partition}`
}

export function refused(errorCode: number): Verdict {
  return { kind: 'refused', errorCode }
}
