import type { Clock } from './clock.js'

const firstMs = 10_000
const mostMs = 600_000

/** When something that lasts is to be told: after ten seconds, and then at distances that double, up to ten minutes. */
export class Reminder {
  readonly #clock: Clock
  #distanceMs = firstMs
  #at: number
  #told = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#at = clock.now() + firstMs
  }

  /** How often it was due. */
  get told(): number {
    return this.#told
  }

  /** Whether it is time; if so, the next time is further away. */
  isDue(): boolean {
    const now = this.#clock.now()
    if (now < this.#at) return false
    this.#distanceMs = Math.min(mostMs, this.#distanceMs * 2)
    this.#at = now + this.#distanceMs
    this.#told += 1
    return true
  }
}
