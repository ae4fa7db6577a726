import type { Clock, Timer } from './clock.js'
import { onAbort } from './on-abort.js'

export interface DeadlineOptions<Late> {
  readonly clock: Clock
  /** By `clock.now()`; `Infinity` for none. */
  readonly deadline: number
  /** Ends the wait early, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** What the wait ends with when the deadline comes first: returns a value, or throws. */
  readonly onLate: () => Late
}

/**
 * Settles as `work` does, or by `onLate` at the deadline, whichever is first; work that has settled already wins over a
 * deadline that has passed already. Leaves no timer and no listener behind. Work that is waited for no longer goes on; its
 * end is ignored, a rejection too.
 */
export function withinDeadline<Value, Late = never>(
  work: Promise<Value>,
  { clock, deadline, signal, onLate }: DeadlineOptions<Late>,
): Promise<Value | Late> {
  return new Promise((resolve, reject) => {
    let timer: Timer | undefined
    let stopListening: (() => void) | undefined
    const end = (settle: () => void) => {
      timer?.cancel()
      stopListening?.()
      settle()
    }
    const abort = () => end(() => reject(signal?.reason as Error))
    const late = () => {
      try {
        const outcome = onLate()
        end(() => resolve(outcome))
      } catch (error) {
        end(() => reject(error as Error))
      }
    }
    if (signal?.aborted) abort()
    else {
      if (deadline !== Infinity) timer = clock.setTimer(Math.max(0, deadline - clock.now()), late)
      if (signal !== undefined) stopListening = onAbort(signal, abort)
    }
    work.then(
      (value) => end(() => resolve(value)),
      (error: Error) => end(() => reject(error)),
    )
  })
}
