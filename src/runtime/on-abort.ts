/**
 * What waits for each signal: one listener for any number of waits. Node walks them all for each that is added, and takes the
 * eleventh for a leak.
 */
const waitsBySignal = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `wait` once when `signal` aborts. Returns how to stop that; nothing is left behind then. */
export function onAbort(signal: AbortSignal, wait: () => void): () => void {
  const waits = waitsBySignal.get(signal) ?? listenTo(signal)
  waits.add(wait)
  return () => waits.delete(wait)
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const waits = new Set<() => void>()
  waitsBySignal.set(signal, waits)
  signal.addEventListener(
    'abort',
    () => {
      // One that is stopped by another, as listeners are, does not run.
      for (const wait of [...waits]) if (waits.delete(wait)) wait()
    },
    { once: true },
  )
  return waits
}
