import { onAbort } from './on-abort.js'

/** Resolves when `signal` aborts, at once when it has. It is kept until then, so it is not for waits in a loop. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return signal.aborted ? Promise.resolve() : new Promise((resolve) => void onAbort(signal, resolve))
}
