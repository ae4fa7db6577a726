import type { Clock } from '../runtime/clock.js'

/** What fails sooner costs nothing worth to be saved. */
const slowMs = 250

const restMs = 10_000

/** One try to put a record aside. */
export interface AsideTry {
  ended(outcome: 'stored' | 'failed'): void
}

/**
 * Whether it is worth to try a topic: where tries fail slowly, what is kept would wait behind each of them.
 *
 * | state   | who asks                   | a try failed slowly | a try was stored | a try failed at once |
 * |---------|----------------------------|---------------------|------------------|----------------------|
 * | open    | may try                    | resting for 10 s    | the same         | the same             |
 * | resting | may not, but one that asks after the 10 s, which is probing | resting anew | open | the same |
 * | probing | may not                    | resting anew        | open             | open, if it is the probe |
 *
 * Tries that began before may end in any state. The probe always ends: its time is bounded as that of any send.
 */
export class AsideTries {
  readonly #clock: Clock
  #state: 'open' | 'resting' | 'probing' = 'open'
  /** By `clock.now()`. */
  #until = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `null`: not now. */
  begin(): AsideTry | null {
    const startedAt = this.#clock.now()
    if (this.#state === 'probing' || (this.#state === 'resting' && startedAt < this.#until)) return null
    const isProbe = this.#state === 'resting'
    if (isProbe) this.#state = 'probing'
    return { ended: (outcome) => this.#ended(outcome, startedAt, isProbe) }
  }

  #ended(outcome: 'stored' | 'failed', startedAt: number, isProbe: boolean): void {
    const now = this.#clock.now()
    if (outcome === 'failed' && now - startedAt >= slowMs) {
      this.#state = 'resting'
      this.#until = now + restMs
    } else if (outcome === 'stored' || isProbe) this.#state = 'open'
  }
}
