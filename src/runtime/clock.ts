import { setMaxListeners } from 'node:events'

/** A timer that has not fired yet. Cancelling a fired timer does nothing. */
export interface Timer {
  cancel(): void
  /** The process need not stay alive for it. Missing where a clock has no process to keep alive. */
  unref?(): void
}

/** The only source of time. The system clock runs in production, a virtual clock in simulations. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Runs `callback` once after `delayMs`. */
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
    const onAbort = () => {
      timer.cancel()
      reject(signal?.reason as Error)
    }
    const timer = setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    if (signal === undefined) return
    // Any number of waits may end with one partition or one assignment; Node would take the eleventh for a leak.
    setMaxListeners(0, signal)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** Node fires a timer that is set for longer after one millisecond. */
const longestTimerMs = 2_147_483_647

/** Wall clock and Node timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(delayMs, callback) {
    if (delayMs > longestTimerMs) return longTimer(delayMs, callback)
    const handle = setTimeout(callback, delayMs)
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
