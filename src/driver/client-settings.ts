import type { Telemetry } from '../telemetry/guard.js'

/** What a producer, a consumer and an admin are all told about the client they belong to. */
export interface ClientSettings extends Telemetry {
  readonly clientId: string
}
