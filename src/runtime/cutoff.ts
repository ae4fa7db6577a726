import type { Clock, Timer } from './clock.js'

/** A moment that can be brought forward and never put off. */
export class Cutoff {
  readonly #clock: Clock
  /** Resolves when the moment has come; never once the cutoff is cancelled. */
  readonly reached: Promise<void>
  #resolve!: () => void
  #at: number
  #timer: Timer | null = null
  #state: 'ahead' | 'reached' | 'cancelled' = 'ahead'

  /** @param at by `clock.now()`; `Infinity` never comes unless it is brought forward */
  constructor(clock: Clock, at: number) {
    this.#clock = clock
    this.#at = at
    this.reached = new Promise((resolve) => {
      this.#resolve = resolve
    })
    this.#arm()
  }

  /** By `clock.now()`. */
  get at(): number {
    return this.#at
  }

  /** A later moment than the present one changes nothing. */
  bringForward(at: number): void {
    if (at >= this.#at) return
    this.#at = at
    if (this.#state === 'ahead') this.#arm()
  }

  /** No timer is left. */
  cancel(): void {
    this.#timer?.cancel()
    if (this.#state === 'ahead') this.#state = 'cancelled'
  }

  #arm(): void {
    this.#timer?.cancel()
    if (this.#at === Infinity) return
    this.#timer = this.#clock.setTimer(Math.max(0, this.#at - this.#clock.now()), () => {
      this.#state = 'reached'
      this.#resolve()
    })
  }
}
