import { SendError } from '../errors.js'
import type { Receipt } from './receipt.js'

/**
 * Not every record of a `sendMany` was stored. `results` has each record's own end in the order of the values, so
 * nothing is lost: send again exactly those that failed `not-stored`. `outcome` is `unknown` as soon as one of them is.
 */
export class SendManyError extends SendError {
  override readonly name = 'SendManyError'
  readonly results: readonly (Receipt | SendError)[]

  constructor(results: readonly (Receipt | SendError)[]) {
    const failures = results.filter((result) => result instanceof SendError)
    const unknown = failures.filter((failure) => failure.outcome === 'unknown').length
    const first = failures[0]
    super(
      first?.code ?? 'send-many',
      unknown > 0 ? 'unknown' : 'not-stored',
      `of ${results.length} records ${results.length - failures.length} were stored, ${failures.length - unknown} not stored, ` +
        `${unknown} unknown (see results); first failure: ${first?.message ?? 'none'}`,
      { cause: first, topic: first?.topic, retriable: unknown === 0 && failures.every((failure) => failure.retriable) },
    )
    this.results = results
  }
}
