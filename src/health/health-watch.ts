import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { withMethods } from '../input/option-rules.js'
import type { Messaging } from '../messaging.js'
import { judgeHealth, type Health } from './judge.js'
import { LoopWatch } from './loop-watch.js'

/** A look at health that also watches the event loop, until it is closed. */
export interface HealthWatch {
  /** The verdict of now, with that of the event loop. */
  health(): Health
  /** No timer is left. Idempotent. */
  close(): void
}

/**
 * How a messaging stands now, with every reason why it is not healthy. Costs what `facts()` costs, and sees everything but
 * a blocked event loop, which only who watches all the time can tell: see `watchHealth`.
 *
 * @throws ConfigError when it is given something else
 */
export function healthOf(messaging: Messaging): Health {
  requireMessaging('healthOf', messaging)
  return judgeHealth(messaging.facts())
}

/**
 * As `healthOf`, and watches the event loop beside it, by a timer that keeps no process alive.
 *
 * @throws ConfigError when it is given something else
 */
export function watchHealth(messaging: Messaging): HealthWatch {
  requireMessaging('watchHealth', messaging)
  const loop = new LoopWatch(messaging.clock)
  return { health: () => judgeHealth(messaging.facts(), loop.delay()), close: () => loop.close() }
}

export function requireMessaging(call: string, messaging: unknown): void {
  if (isMessaging.accepts(messaging)) return
  throw new ConfigError(call, [{ path: 'messaging', message: came(messaging), fix: `give ${isMessaging.expected}` }])
}

/** By its shape: a program may load this module and that of `createMessaging` in two forms. */
const isMessaging = withMethods('what createMessaging returned', ['consumer', 'facts', 'close'])
