import { logLevel } from 'kafkajs'
import { profiles } from '../../src/config/profiles.js'
import { kafkajs } from '../../src/drivers/kafkajs/driver.js'
import { SendError } from '../../src/errors.js'
import { producerOptionsSchema } from '../../src/producer/producer-options.js'
import { Producer } from '../../src/producer/producer.js'
import type { Receipt } from '../../src/producer/receipt.js'
import { string } from '../../src/serde/string.js'
import { silentLogger } from '../../src/telemetry/logger.js'
import { noMetrics } from '../../src/telemetry/metrics.js'
import { defineTopic } from '../../src/topic/define-topic.js'
import type { Outcome } from '../support/ledger.js'
import type { OpenWorkload } from './workload.js'

/** tidemark over kafkajs's connections, in the profile as it is; only the silence it bears is shorter, to fit a short cell. */
export const openTidemark: OpenWorkload = async ({ brokers, topic: name, profile }) => {
  const driver = kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const { acks, idempotent, retryInDoubt, deliveryTimeoutMs } = profiles[profile].producer
  const options = producerOptionsSchema.parse({ acks, idempotent, retryInDoubt, deliveryTimeoutMs, requestTimeoutMs: 2_000 })
  const settings = { ...options, clientId: 'faults', logger: silentLogger, metrics: noMetrics }
  const producer = new Producer({ driver: driver.createProducer(settings), runtime: driver.runtime, metrics: noMetrics, options })
  const topic = defineTopic({ name, value: string() })
  await producer.connect()
  return {
    send: (key, value) => producer.send(topic, value, { key }).then(stored, failed),
    close: async () => {
      await producer.close()
    },
  }
}

function stored({ partition, offset }: Receipt): Outcome {
  return { kind: 'stored', partition, offset: offset ?? -1 }
}

function failed(error: unknown): Outcome {
  if (error instanceof SendError) return { kind: error.outcome, reason: error.code }
  return { kind: 'unknown', reason: `not a SendError: ${String(error)}` }
}
