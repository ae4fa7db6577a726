import { setMaxListeners } from 'node:events'

/** Resolves when `signal` aborts, at once when it has. Holds one listener until then, so it is not for waits in a loop. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  // As with `sleep`: any number of waits may end with one signal.
  setMaxListeners(0, signal)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
