import { TimeoutError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import { withinDeadline } from '../runtime/within-deadline.js'

/** A call of the database of an outbox that is waited for no longer than this has failed; it may be carried out yet. */
export function inTime<Value>(call: Promise<Value>, clock: Clock, timeoutMs: number): Promise<Value> {
  const onLate = () => {
    throw new TimeoutError('store-timeout', `the database of the outbox did not answer within ${timeoutMs} ms`, {
      retriable: true,
    })
  }
  return withinDeadline(call, { clock, deadline: clock.now() + timeoutMs, onLate })
}
