import type { KafkaConfig } from 'kafkajs'
import type { Driver } from '../../driver/driver.js'
import { given } from '../../input/given.js'
import { isRecord } from '../../input/shapes.js'
import { createProtocolDriver } from '../../protocol/driver.js'
import { systemRuntime } from '../../runtime/runtime.js'
import type { KafkajsOptions } from './config.js'
import { kafkajsConnections } from './connections.js'
import type { ConnectionConfig, TlsProvider } from './tls-options.js'

/** What `new Kafka(config)` takes; `undefined` counts as left out. */
export type KafkajsConfig = Pick<KafkaConfig, 'brokers'> & {
  readonly [Name in Exclude<keyof KafkaConfig, 'brokers' | 'ssl'>]?: KafkaConfig[Name] | undefined
} & {
  /**
   * Or a function that gives the options of `tls.connect`: it is asked by each new connection, so that certificates can be
   * exchanged while the process runs, as `tlsFiles` of `tidemark/auth` does. A certificate that is refused is no end then: it
   * is tried again with what the function gives next.
   */
  readonly ssl?: KafkaConfig['ssl'] | TlsProvider | undefined
}

/**
 * A real Kafka, through the sockets, TLS and authentication of kafkajs. Takes what `new Kafka(config)` takes; `retry`,
 * `requestTimeout` and `enforceRequestTimeout` have no effect, because every wait has a deadline of tidemark's own.
 *
 * @throws ConfigError with every problem of the configuration that can be seen without a broker.
 */
export function kafkajs(config: KafkajsConfig, options: KafkajsOptions = {}): Driver {
  const written = (isRecord(config) ? given(config) : config) as ConnectionConfig
  return createProtocolDriver(kafkajsConnections(written, options), systemRuntime)
}
