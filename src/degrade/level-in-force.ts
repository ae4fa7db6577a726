import type { Clock } from '../runtime/clock.js'
import type { Level } from './ladder.js'
import { longestMs, type LevelNotice } from './level-notice.js'

/**
 * The level that holds now. Nobody can leave one in force: it ends by itself, by our own clock that nobody sets.
 *
 * | in force           | comes                         | becomes |
 * |--------------------|-------------------------------|---------|
 * | any                | one that is over already      | the same |
 * | none               | any other, also of level 0    | in force |
 * | one of epoch e     | one of an epoch below e       | the same |
 * | one of epoch e     | any other                     | in force instead |
 * | any                | its time passes               | none, which is level 0 |
 */
export class LevelInForce {
  readonly #clock: Clock
  #notice: LevelNotice | null = null
  /** By `clock.now()`. */
  #until = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get level(): Level {
    return this.#current()?.level ?? 0
  }

  /** How long it still holds, ms. */
  get leftMs(): number {
    return this.#current() === null ? 0 : this.#until - this.#clock.now()
  }

  /**
   * @param ageMs how long ago it was set; clocks that disagree may shorten it, and never make it last beyond `lastsMs` from now
   * @returns whether it is in force now
   */
  take(notice: LevelNotice, ageMs = 0): boolean {
    const leftMs = leftOf(notice, ageMs)
    const current = this.#current()
    if (leftMs <= 0 || (current !== null && notice.epoch < current.epoch)) return false
    this.#notice = notice
    this.#until = this.#clock.now() + leftMs
    return true
  }

  #current(): LevelNotice | null {
    if (this.#notice !== null && this.#clock.now() >= this.#until) this.#notice = null
    return this.#notice
  }
}

/** How long a notice of this age still holds, ms; 0 or less: it is over. An age that is no number is none. */
export function leftOf({ lastsMs }: LevelNotice, ageMs: number): number {
  return Math.min(lastsMs, longestMs) - (ageMs > 0 ? ageMs : 0)
}
