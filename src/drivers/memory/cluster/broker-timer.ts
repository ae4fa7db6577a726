import type { Clock, Timer } from '../../../runtime/clock.js'

/** A broker's timer: it must not keep the process of the broker's clients alive. */
export function setBrokerTimer(clock: Clock, delayMs: number, callback: () => void): Timer {
  const timer = clock.setTimer(delayMs, callback)
  timer.unref?.()
  return timer
}
