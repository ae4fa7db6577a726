import { TidemarkError } from '../../errors.js'

/**
 * Thrown by a handler: this record can never be handled, put it on the dead-letter topic now, without further attempts.
 * Without a dead-letter topic the partition stops at it.
 */
export class DeadLetter extends TidemarkError {
  override readonly name = 'DeadLetter'
  /** @param because for the header `td-error-message`; must not hold keys or values. */
  constructor(because: string, cause?: unknown) {
    super('dead-letter', because, { cause })
  }
}

/** Thrown by a handler: drop this record. It counts as done and is counted as discarded. */
export class Discard extends TidemarkError {
  override readonly name = 'Discard'
  /** @param because for the log; must not hold keys or values. */
  constructor(because: string, cause?: unknown) {
    super('discard', because, { cause })
  }
}
