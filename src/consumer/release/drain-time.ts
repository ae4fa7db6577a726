import type { Clock } from '../../runtime/clock.js'
import { Cutoff } from '../../runtime/cutoff.js'

/** Part of the time that is kept for the commit, and its bounds. */
const commitShare = 0.2
const commitLeastMs = 100
const commitMostMs = 5_000

/** The time of one drain: a while for running handlers, then the commit. Another, earlier end shortens both. */
export class DrainTime {
  readonly #clock: Clock
  readonly #handlers: Cutoff
  readonly #end: Cutoff

  /**
   * @param finishMs most time for running handlers
   * @param deadline by `clock.now()`, for everything
   */
  constructor(clock: Clock, finishMs: number, deadline: number) {
    this.#clock = clock
    this.#handlers = new Cutoff(clock, finishUntil(clock.now(), finishMs, deadline))
    this.#end = new Cutoff(clock, deadline)
  }

  /** Absolute ms. */
  get deadline(): number {
    return this.#end.at
  }

  /** Resolves when handlers that still run have had their time. */
  get handlersTimeUp(): Promise<void> {
    return this.#handlers.reached
  }

  /** Resolves at the deadline. */
  get timeUp(): Promise<void> {
    return this.#end.reached
  }

  /** Counted from now; what is later than before changes nothing. */
  shorten(finishMs: number, deadline: number): void {
    this.#end.bringForward(deadline)
    this.#handlers.bringForward(finishUntil(this.#clock.now(), finishMs, deadline))
  }

  /** No timer is left. */
  over(): void {
    this.#handlers.cancel()
    this.#end.cancel()
  }
}

/** Leaves room for the commit before the deadline. */
function finishUntil(now: number, finishMs: number, deadline: number): number {
  const roomMs = Math.max(0, deadline - now)
  const commitMs = Math.min(commitMostMs, Math.max(commitLeastMs, roomMs * commitShare))
  return Math.min(now + finishMs, deadline - commitMs)
}
