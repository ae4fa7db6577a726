import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { withMethods } from '../input/option-rules.js'
import type { Messaging } from '../messaging.js'
import { resolveRedrive, type RedriveOptions } from './redrive-options.js'
import { planRedrive } from './redrive-plan.js'
import { RedriveRun } from './redrive-run.js'
import type { RedriveSummary } from './tally.js'

/**
 * Sends dead letters back to the topics they came from, key, value and headers as they were: those that stand in the
 * dead-letter topic when it is called, so that what fails again meanwhile is not sent in a circle. They stay where they are;
 * how far the redrive has come is kept as commits of its `group`. So a run that was killed, aborted or failed goes on when
 * called again: no letter is passed over, and only what was on its way is sent again, with the same `td-redrive-id`.
 * Letters of one key stay in order. Stored with acks=all and idempotence, whatever the profile.
 *
 * Reads letters of this library, of Spring for Apache Kafka, Kafka Connect, Kafka Streams and share groups.
 *
 * Resolves at the end, also of a run that was aborted (`ended`).
 *
 * @throws RedriveError when it cannot go on, with what was done; the same call goes on from there
 * @throws ConfigError with every problem of the options, or when a topic does not exist
 * @throws DriverError when the cluster or group cannot be reached, or refuses
 * @example
 * const options = { from: 'orders.dlq', allow: [orders], group: 'redrive-orders-1', select: { reason: 'exhausted' } }
 * console.log(await redrive(messaging, { ...options, dryRun: true }))
 * await redrive(messaging, { ...options, perSecond: 100, onProgress: ({ redriven, left }) => console.log(redriven, left) })
 */
export async function redrive(messaging: Messaging, options: RedriveOptions): Promise<RedriveSummary> {
  if (!isMessaging.accepts(messaging)) {
    const issue = { path: 'messaging', message: came(messaging), fix: `give ${isMessaging.expected}` }
    throw new ConfigError('redrive', [issue])
  }
  const resolved = resolveRedrive(options)
  const plan = await planRedrive(messaging.admin, resolved)
  return new RedriveRun(messaging, resolved, plan).toEnd()
}

/** By its shape: a program may load this module and that of `createMessaging` in two forms. */
const isMessaging = withMethods('what createMessaging returned', ['consumer', 'facts', 'close'])
