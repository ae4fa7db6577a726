import { TidemarkError, type ErrorDetails } from '../../errors.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { TopicPartition } from '../../message/topic-partition.js'

export type DeadLetterReason = 'undecodable' | 'invalid' | 'rejected' | 'exhausted' | 'timeout'

/** A record that could not be handled, with its original bytes. */
export interface FailedRecord extends TopicPartition {
  readonly record: ReceivedRecord
  readonly group: string | null
  readonly reason: DeadLetterReason
  readonly error: unknown
  /** Attempts made by this consumer. */
  readonly attempt: number
  /** Absolute ms. */
  readonly firstFailedAt: number
  readonly lastFailedAt: number
}

/**
 * Puts a failed record where it will be kept. Resolves only when that is acknowledged; on a rejection the consumer tries
 * again with backoff while the partition waits, until `signal` aborts because the partition is no longer ours. Only a
 * `DeadLetterError` ends that: the partition stops at the record.
 */
export type DeadLetterRoute = (failed: FailedRecord, signal: AbortSignal) => Promise<void>

/** A failed record that its dead-letter topic will never take. Its partition is stopped at it. */
export class DeadLetterError extends TidemarkError {
  override readonly name = 'DeadLetterError'
  constructor(code: 'too-large', message: string, details: ErrorDetails) {
    super(code, message, details)
  }
}
