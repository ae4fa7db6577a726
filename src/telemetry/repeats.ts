import type { Clock } from '../runtime/clock.js'

/** More causes than a service has; beyond it all of them are forgotten. */
const mostCauses = 1_000

/** What comes again and again, by cause: let through once in a while. */
export class Repeats {
  readonly #clock: Clock
  readonly #distanceMs: number
  readonly #met = new Map<string, { at: number; kept: number }>()

  constructor(clock: Clock, distanceMs: number) {
    this.#clock = clock
    this.#distanceMs = distanceMs
  }

  /** `too-soon` within the distance of the last that was let through; else how many were kept back since. */
  met(cause: string): number | 'too-soon' {
    const now = this.#clock.now()
    const last = this.#met.get(cause)
    if (last === undefined) {
      if (this.#met.size >= mostCauses) this.#met.clear()
      this.#met.set(cause, { at: now, kept: 0 })
      return 0
    }
    if (now - last.at < this.#distanceMs) {
      last.kept += 1
      return 'too-soon'
    }
    const { kept } = last
    last.at = now
    last.kept = 0
    return kept
  }
}
