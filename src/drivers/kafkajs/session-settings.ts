import type { ISocketFactory, Logger as KafkajsLogger } from 'kafkajs'
import type { Clock } from '../../runtime/clock.js'
import type { KafkajsInternals } from './internals.js'
import type { ConnectionConfig, TlsOptions } from './tls-options.js'

/** Everything a connection needs that is the same for all of them. */
export interface SessionSettings {
  readonly config: ConnectionConfig
  readonly clientId: string
  readonly clock: Clock
  readonly connectionTimeoutMs: number
  readonly authenticationTimeoutMs: number
  readonly internals: KafkajsInternals
  readonly socketFactory: ISocketFactory
  readonly kafkajsLogger: KafkajsLogger
  readonly mask: (text: string) => string
}

export interface AttemptSettings extends SessionSettings {
  readonly ssl: TlsOptions
}
