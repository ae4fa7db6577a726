import type { Clock } from '../runtime/clock.js'

/** Lets so many a second go, evenly: whoever comes takes the next place in time. */
export class Pace {
  readonly #clock: Clock
  readonly #everyMs: number
  #nextAt = -Infinity

  /** @param perSecond `undefined`: nobody waits */
  constructor(clock: Clock, perSecond: number | undefined) {
    this.#clock = clock
    this.#everyMs = perSecond === undefined ? 0 : 1_000 / perSecond
  }

  /** Rejects when `signal` aborts before its place comes. */
  async place(signal: AbortSignal): Promise<void> {
    if (this.#everyMs === 0) return
    const now = this.#clock.now()
    const at = Math.max(now, this.#nextAt)
    this.#nextAt = at + this.#everyMs
    // The clock has whole milliseconds: what is shorter is made up by the next ones.
    if (at - now >= 1) await this.#clock.sleep(at - now, signal)
  }
}
