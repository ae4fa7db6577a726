// The global of that name is looked up by a getter at every use.
import { performance } from 'node:perf_hooks'
import { onAbort } from './on-abort.js'

/** A timer that has not fired yet. Cancelling a fired timer does nothing. */
export interface Timer {
  cancel(): void
  /** The process need not stay alive for it. Missing where a clock has no process to keep alive. */
  unref?: (() => void) | undefined
}

/**
 * The only source of time. The system clock runs in production, a virtual clock in simulations. It has two readings, since
 * what a machine shows as the time of day is set now and then (by an administrator, by NTP): waits, deadlines and ages must
 * not notice, timestamps must.
 */
export interface Clock {
  /** Whole milliseconds that only grow and that nobody sets, for waits, deadlines and ages. Compare them with each other only. */
  now(): number
  /** What the wall clock shows: milliseconds since the Unix epoch, for timestamps only. May jump both ways. */
  wallTime(): number
  /** Runs `callback` once after `delayMs`, and no sooner by `now()`: whoever looks then finds that it is time. */
  setTimer(delayMs: number, callback: () => void): Timer
  /** Runs `callback` after pending I/O, at the earliest in the next turn of the event loop. */
  defer(callback: () => void): void
  /** Resolves after `delayMs`; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** `sleep` in terms of `setTimer`, shared by every clock. */
export function sleepWith(setTimer: Clock['setTimer'], delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error)
      return
    }
    const timer = setTimer(delayMs, () => {
      stopListening?.()
      resolve()
    })
    const stopListening =
      signal &&
      onAbort(signal, () => {
        timer.cancel()
        reject(signal.reason as Error)
      })
  })
}

/** Node fires a timer that is set for longer after one millisecond. */
const longestTimerMs = 2_147_483_647

/** The wall time at which a moment of `clock.now()` was, or will be, as the wall clock stands now; for telling people. */
export function wallTimeOf(clock: Clock, moment: number): number {
  return moment + clock.wallTime() - clock.now()
}

/** Near the time of day, so that it reads well in a debugger. */
const origin = performance.timeOrigin

/**
 * Node's timers run by the same monotonic clock. While the machine sleeps it stands still on Linux and goes on elsewhere:
 * on Linux a deadline is counted in time awake, and what happened meanwhile (a group's session ran out) the brokers tell.
 */
export const systemClock: Clock = {
  now: () => Math.floor(origin + performance.now()),
  wallTime: () => Date.now(),
  setTimer(delayMs, callback) {
    if (delayMs > longestTimerMs) return longTimer(delayMs, callback)
    const dueAt = systemClock.now() + delayMs
    // Node counts from the beginning of a turn of the event loop, and may be a millisecond early.
    const fire = () => {
      const leftMs = dueAt - systemClock.now()
      if (leftMs > 0) handle = setTimeout(fire, leftMs)
      else callback()
    }
    let handle = setTimeout(fire, delayMs)
    return { cancel: () => clearTimeout(handle), unref: () => handle.unref() }
  },
  defer(callback) {
    setImmediate(callback)
  },
  sleep: (delayMs, signal) => sleepWith((delay, callback) => systemClock.setTimer(delay, callback), delayMs, signal),
}

/** As many timers in a row as it takes. */
function longTimer(delayMs: number, callback: () => void): Timer {
  let leftMs = delayMs
  let keepsProcess = true
  const next = () => {
    if (leftMs <= 0) {
      callback()
      return
    }
    const stepMs = Math.min(leftMs, longestTimerMs)
    leftMs -= stepMs
    handle = setTimeout(next, stepMs)
    if (!keepsProcess) handle.unref()
  }
  let handle: NodeJS.Timeout
  next()
  return {
    cancel: () => clearTimeout(handle),
    unref: () => {
      keepsProcess = false
      handle.unref()
    },
  }
}
