import type { Request } from '../../src/connection/requests/apis.js'
import type { InFlight } from './tenures.js'

/** The requests of each consumer that have no answer yet. */
export class Traffic {
  readonly #inFlight = new Map<string, { commits: number; fetches: number }>()

  asked(consumer: string, { api }: Request): void {
    this.#change(consumer, api, 1)
  }

  ended(consumer: string, { api }: Request): void {
    this.#change(consumer, api, -1)
  }

  of(consumer: string): InFlight {
    return this.#inFlight.get(consumer) ?? { commits: 0, fetches: 0 }
  }

  #change(consumer: string, api: Request['api'], by: number): void {
    if (api !== 'offsetCommit' && api !== 'fetch') return
    let inFlight = this.#inFlight.get(consumer)
    if (inFlight === undefined) this.#inFlight.set(consumer, (inFlight = { commits: 0, fetches: 0 }))
    if (api === 'fetch') inFlight.fetches += by
    else inFlight.commits += by
  }
}
