import { wallTimeOf, type Clock, type Timer } from '../runtime/clock.js'
import type { LoopDelay } from './judge.js'

const everyMs = 500
/** What was longer ago counts no more. */
const windowMs = 30_000

/** Notices that the event loop was blocked by timers that come late. Keeps no process alive. */
export class LoopWatch {
  readonly #clock: Clock
  #late: readonly { readonly ms: number; readonly at: number }[] = []
  #timer: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
    this.#arm()
  }

  /** The worst of late; `null` when every timer was in time. */
  delay(): LoopDelay | null {
    this.#forget()
    let worst: LoopDelay | null = null
    for (const { ms, at } of this.#late) {
      if (worst === null || ms > worst.worstMs) worst = { worstMs: ms, at: wallTimeOf(this.#clock, at) }
    }
    return worst
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(): void {
    const due = this.#clock.now() + everyMs
    this.#timer = this.#clock.setTimer(everyMs, () => {
      const at = this.#clock.now()
      this.#forget()
      // A turn of the loop that is full of work is none that was blocked.
      if (at - due >= everyMs / 10) this.#late = [...this.#late, { ms: at - due, at }]
      this.#arm()
    })
    this.#timer.unref?.()
  }

  #forget(): void {
    const since = this.#clock.now() - windowMs
    if (this.#late.length > 0) this.#late = this.#late.filter(({ at }) => at >= since)
  }
}
