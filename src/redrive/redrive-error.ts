import { TidemarkError, type ErrorDetails } from '../errors.js'
import type { RedriveSummary } from './tally.js'

/**
 * A redrive ended before its end. What it has done until then is done and kept: the same call goes on from there. Codes:
 *
 * - a `RefusalReason`: a letter that was meant cannot be sent, and `passOver` does not name that reason.
 * - `not-sent`: sending failed in a way that another attempt does not mend, for example a missing permission.
 * - `stalled`: nothing moved for `stallMs`.
 * - `select-failed`: `select.where` threw, or did not answer at once.
 * - `reader-failed`: the dead-letter topic can no longer be read.
 * - `progress-unknown`: all was sent, and nobody confirmed how far it came: another run may send the last letters again.
 */
export class RedriveError extends TidemarkError {
  override readonly name = 'RedriveError'
  constructor(
    code: string,
    message: string,
    /** What was done before. */
    readonly summary: RedriveSummary,
    details: ErrorDetails = {},
  ) {
    super(code, message, details)
  }
}

/** Why a run cannot go on; the caller is told with what was done by then. */
export class RedriveStop extends TidemarkError {
  override readonly name = 'RedriveStop'
}
