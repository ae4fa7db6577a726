import type { KafkaConfig } from 'kafkajs'
import type { Driver } from '../../driver/driver.js'
import { createProtocolDriver } from '../../protocol/driver.js'
import { systemRuntime } from '../../runtime/runtime.js'
import type { KafkajsOptions } from './config.js'
import { kafkajsConnections } from './connections.js'

/**
 * A real Kafka, through the sockets, TLS and authentication of kafkajs. Takes what `new Kafka(config)` takes; `retry`,
 * `requestTimeout` and `enforceRequestTimeout` have no effect, because every wait has a deadline of tidemark's own.
 *
 * @throws ConfigError with every problem of the configuration that can be seen without a broker.
 */
export function kafkajs(config: KafkaConfig, options: KafkajsOptions = {}): Driver {
  return createProtocolDriver(kafkajsConnections(config, options), systemRuntime)
}
