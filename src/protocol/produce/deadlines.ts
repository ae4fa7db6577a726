import type { Clock, Timer } from '../../runtime/clock.js'

/** What must be over at a time. */
export interface Due {
  readonly deadline: number
  runOutOfTime(): void
}

/**
 * One timer for the deadlines of all that is out. Nearly everything ends long before its own, so nothing is done at an end,
 * and a look at all that is out when the timer fires finds the next.
 *
 * | timer | is set                                       | when it fires                                          |
 * |-------|----------------------------------------------|--------------------------------------------------------|
 * | none  | by whatever comes                            | –                                                      |
 * | set   | anew by what is due before it                | what is due is told; set for the earliest of the rest  |
 *
 * It may fire for what has ended; it is never late for what has not.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #out: Iterable<Due>
  #timer: Timer | null = null
  #setFor = Infinity

  /** @param out all that is out, and nothing else. */
  constructor(clock: Clock, out: Iterable<Due>) {
    this.#clock = clock
    this.#out = out
  }

  watch(deadline: number): void {
    if (deadline >= this.#setFor) return
    this.#timer?.cancel()
    this.#setFor = deadline
    this.#timer = this.#clock.setTimer(Math.max(0, deadline - this.#clock.now()), () => this.#look())
  }

  /** Nothing is out: a process need not stay alive for it. */
  rest(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#setFor = Infinity
  }

  #look(): void {
    this.#timer = null
    this.#setFor = Infinity
    const now = this.#clock.now()
    const late: Due[] = []
    let next = Infinity
    for (const due of this.#out) {
      if (due.deadline <= now) late.push(due)
      else next = Math.min(next, due.deadline)
    }
    if (next < Infinity) this.watch(next)
    for (const due of late) due.runOutOfTime()
  }
}
