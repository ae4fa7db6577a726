import { StateError, TimeoutError } from '../../errors.js'
import { optionProblem, type Rules } from '../../input/option-rules.js'
import { sleepWith, systemClock, type Clock } from '../../runtime/clock.js'
import { TimerQueue } from './timer-queue.js'

/** What `virtualClock` is given. */
export interface VirtualClockOptions {
  /** What the clock shows at first, in ms since the Unix epoch. Default 2026-01-01T00:00:00Z. */
  readonly start?: number | undefined
}

/** How long a virtual clock is run. */
export interface RunLimit {
  /** Virtual time after which to give up. Default one hour. */
  readonly limitMs?: number | undefined
}

/**
 * A clock that stands still until told to run. Timers fire in the order of (time, creation), each after everything that
 * the former caused through promises has happened, so a run repeats exactly.
 */
export interface VirtualClock extends Clock {
  /** Fires everything due in the next `ms`, then shows `ms` more than before. */
  advance(ms: number): Promise<void>
  /**
   * Runs until the predicate holds or the promise settles, and resolves or rejects as the promise does.
   *
   * @throws TimeoutError `virtual-time-limit` when `limitMs` of virtual time passed; `nothing-left-to-happen` when no
   * timer is left that could bring the goal about.
   */
  runUntil<T>(goal: Promise<T>, limit?: RunLimit): Promise<T>
  runUntil(goal: () => boolean, limit?: RunLimit): Promise<void>
  /** Runs until no timer is left. */
  runUntilIdle(limit?: RunLimit): Promise<void>
  /** Sets the wall clock forward, or back when negative, as an administrator does; no timer notices. */
  shiftWallTime(byMs: number): void
  /** How many timers wait to fire. */
  readonly pendingTimers: number
}

const defaultStart = 1_767_225_600_000
const clockRules: Rules<VirtualClockOptions> = {
  start: { expected: 'milliseconds since 1970', accepts: (value) => Number.isFinite(value) },
}

const defaultLimitMs = 3_600_000
/** So many timers without any time passing is a loop that would never end. */
const maxFiredAtOneInstant = 1_000_000

/** A clock for tests that moves when told: timers fire in order, and a run repeats exactly. */
export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  const problem = optionProblem('virtualClock', options, clockRules)
  if (problem !== null) throw problem
  return new HeapClock(options.start ?? defaultStart)
}

class HeapClock implements VirtualClock {
  #now: number
  #wallTimeAheadMs = 0
  readonly #timers = new TimerQueue()
  #running = false
  #firedAtThisInstant = 0

  constructor(start: number) {
    this.#now = start
  }

  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Whole milliseconds, as every clock shows them; timers keep their fractions, so none fires early. */
  now(): number {
    return Math.floor(this.#now)
  }

  wallTime(): number {
    return this.now() + this.#wallTimeAheadMs
  }

  shiftWallTime(byMs: number): void {
    this.#wallTimeAheadMs += byMs
  }

  setTimer(delayMs: number, callback: () => void) {
    // NaN and negative delays fire at once, as Node's timers do.
    return this.#timers.add(this.#now + (delayMs > 0 ? delayMs : 0), callback)
  }

  defer(callback: () => void): void {
    this.#timers.add(this.#now, callback)
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepWith((delay, callback) => this.setTimer(delay, callback), delayMs, signal)
  }

  async advance(ms: number): Promise<void> {
    await this.#exclusively('advance', async () => {
      const end = this.#now + ms
      while (await this.#fireNext(end));
      this.#moveTo(end)
    })
  }

  async runUntil<T>(goal: Promise<T> | (() => boolean), { limitMs = defaultLimitMs }: RunLimit = {}): Promise<T> {
    const settled = typeof goal === 'function' ? goal : watchPromise(goal)
    await this.#exclusively('runUntil', async () => {
      const end = this.#now + limitMs
      await allMicrotasks()
      while (!settled()) {
        if (await this.#fireNext(end)) continue
        if (!settled()) throw this.#unreached(end)
      }
    })
    return (typeof goal === 'function' ? undefined : goal) as Promise<T>
  }

  async runUntilIdle({ limitMs = defaultLimitMs }: RunLimit = {}): Promise<void> {
    await this.#exclusively('runUntilIdle', async () => {
      const end = this.#now + limitMs
      while (await this.#fireNext(end));
      if (this.#timers.nextTime() !== undefined) throw this.#unreached(end)
    })
  }

  /** Fires the next timer due until `end` and lets its consequences happen; false when there is none. */
  async #fireNext(end: number): Promise<boolean> {
    if (this.#timers.nextTime() === undefined) await allMicrotasks()
    const next = this.#timers.nextTime()
    if (next === undefined || next > end) return false
    this.#moveTo(next)
    this.#firedAtThisInstant += 1
    if (this.#firedAtThisInstant > maxFiredAtOneInstant) {
      throw new TimeoutError('time-stands-still', `${maxFiredAtOneInstant} timers fired while no virtual time passed`)
    }
    this.#timers.take()()
    await allMicrotasks()
    return true
  }

  #moveTo(time: number): void {
    if (time === this.#now) return
    this.#now = time
    this.#firedAtThisInstant = 0
  }

  #unreached(end: number): TimeoutError {
    const next = this.#timers.nextTime()
    return next === undefined
      ? new TimeoutError('nothing-left-to-happen', 'the goal was not reached and no timer is left that could reach it')
      : new TimeoutError(
          'virtual-time-limit',
          `the goal was not reached until ${new Date(end).toISOString()} (virtual); ${this.#timers.size} timers are left`,
        )
  }

  async #exclusively(action: string, run: () => Promise<void>): Promise<void> {
    if (this.#running) {
      throw new StateError(
        'already-running',
        `${action} was called while the virtual clock runs; await the former call`,
      )
    }
    this.#running = true
    try {
      // What the caller started may still have to set its first timers.
      await allMicrotasks()
      await run()
    } finally {
      this.#running = false
    }
  }
}

/** A turn of the real event loop comes only after every microtask, however long their chain. */
function allMicrotasks(): Promise<void> {
  return new Promise((resolve) => systemClock.defer(resolve))
}

function watchPromise(promise: Promise<unknown>): () => boolean {
  let settled = false
  const note = () => {
    settled = true
  }
  promise.then(note, note)
  return () => settled
}
