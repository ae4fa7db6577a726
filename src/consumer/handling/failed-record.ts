import { TidemarkError, type ErrorDetails } from '../../errors.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { BreakerLimits } from './flood-breaker.js'

export type DeadLetterReason = 'undecodable' | 'invalid' | 'rejected' | 'exhausted' | 'timeout'

/** A record that could not be handled, with its original bytes. */
export interface FailedRecord extends TopicPartition {
  readonly record: ReceivedRecord
  /** The tenure of its partition in which it failed. */
  readonly owned: OwnedPartition
  readonly group: string | null
  readonly reason: DeadLetterReason
  readonly error: unknown
  /** Attempts so far, those of consumers before included (`td-attempt`). */
  readonly attempt: number
  /** Absolute ms. */
  readonly firstFailedAt: number
  readonly lastFailedAt: number
}

/** `pointer`: the value did not fit and is left where the record came from. */
export type LetterForm = 'whole' | 'pointer'

/** What becomes of a partition whose records become dead letters. */
export interface DeadLetterPolicy {
  /** `null`: however many they are. */
  readonly breaker: BreakerLimits | null
  /** `stop`: the partition stops behind the first. */
  readonly afterwards: 'continue' | 'stop'
}

/**
 * Puts a failed record where it will be kept. Resolves only when that is acknowledged; on a rejection the consumer tries
 * again with backoff while the partition waits, until `signal` aborts because the partition is no longer ours. Only a
 * `DeadLetterError` ends that: the partition stops at the record; with code `not-authorized` after it was waited out a while.
 */
export type DeadLetterRoute = (failed: FailedRecord, signal: AbortSignal) => Promise<LetterForm | void>

/** A failed record that its dead-letter topic does not take, and never will. Its partition is stopped at it; `cause` says why. */
export class DeadLetterError extends TidemarkError {
  override readonly name = 'DeadLetterError'
  /** Why the record was to go there. */
  readonly failure: unknown
  constructor(
    code: 'too-large' | 'refused' | 'not-authorized' | 'flood' | 'stopped-behind',
    message: string,
    details: ErrorDetails & { readonly failure?: unknown },
  ) {
    super(code, message, details)
    this.failure = details.failure
  }
}
