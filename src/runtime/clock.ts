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
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Wall clock and Node timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(handle), unref: () => handle.unref() }
  },
  defer(callback) {
    setImmediate(callback)
  },
  sleep: (delayMs, signal) => sleepWith((delay, callback) => systemClock.setTimer(delay, callback), delayMs, signal),
}
