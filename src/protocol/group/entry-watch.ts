import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { ClientContext } from '../cluster/client-context.js'

/** Beside the requests: pauses between attempts, and a process that has little of the processor. */
const graceMs = 60_000

/**
 * Every request on the way into a group has a deadline, so an attempt that outlasts all of them together does not wait for a
 * broker or for other members: it hangs here, and only a new process helps. A timer tells it and not whoever looks, so that a
 * process that was suspended has had its deadlines first.
 *
 * @param requestsMs the most that the requests of the attempt may take
 */
export async function watchedEntry<Value>(
  { runtime, settings }: ClientContext<Telemetry>,
  requestsMs: number,
  attempt: () => Promise<Value>,
): Promise<Value> {
  const allowedMs = requestsMs + graceMs
  const timer = runtime.clock.setTimer(allowedMs, () => tell(settings, { kind: 'member-stuck', allowedMs }))
  timer.unref?.()
  try {
    return await attempt()
  } finally {
    timer.cancel()
    tell(settings, { kind: 'member-moves' })
  }
}
