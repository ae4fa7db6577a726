import type { Logger } from '../telemetry/logger.js'
import type { Metrics } from '../telemetry/metrics.js'

/** What a producer, a consumer and an admin are all told about the client they belong to. */
export interface ClientSettings {
  readonly clientId: string
  readonly logger: Logger
  readonly metrics: Metrics
}
