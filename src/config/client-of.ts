import type { ClientSettings } from '../driver/client-settings.js'
import { calm } from '../telemetry/calm-logger.js'
import { publish } from '../telemetry/channels.js'
import { tellListener } from '../telemetry/guard.js'
import { withFields } from '../telemetry/logger.js'
import { scoped } from '../telemetry/metrics.js'
import { Troubles } from '../telemetry/troubles.js'
import type { ResolvedMessagingOptions } from './messaging-options.js'

export type ClientOfMessaging = ClientSettings & { readonly troubles: Troubles }

/** What one client is told: lines and measurements say whose they are. */
export function clientOf(
  { clientId, logger, metrics, tracing, onEvent, driver }: ResolvedMessagingOptions,
  surroundings: Troubles,
  group: string | undefined,
): ClientOfMessaging {
  const { clock } = driver.runtime
  const own = { client: clientId, ...(group === undefined ? {} : { group }) }
  const telemetry = {
    logger: withFields(calm(logger, clock), own),
    metrics: scoped(metrics, own),
    tracing: tracing?.of(own),
  }
  const troubles = new Troubles(clock, surroundings)
  return {
    clientId,
    ...telemetry,
    troubles,
    onEvent(event) {
      publish(own, event)
      if (onEvent !== undefined) tellListener('onEvent', () => onEvent({ ...own, ...event }), telemetry)
    },
  }
}
