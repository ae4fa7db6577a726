import type { Driver } from '../../src/driver/driver.js'
import { heldRecords, noHeaders } from '../../src/message/record.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import { silentLogger } from '../../src/telemetry/logger.js'
import { noMetrics } from '../../src/telemetry/metrics.js'
import type { DriverProducer, ProducerSettings } from '../../src/driver/producer.js'
import { systemClock } from '../../src/runtime/clock.js'
import { Troubles } from '../../src/telemetry/troubles.js'

export const producerSettings: ProducerSettings = {
  clientId: 'tidemark',
  logger: silentLogger,
  metrics: noMetrics,
  troubles: new Troubles(systemClock),
  acks: -1,
  idempotent: true,
  retryInDoubt: true,
  compression: 'none',
  maxRequestBytes: 1_000_000,
  requestTimeoutMs: 5_000,
  metadataMaxAgeMs: 60_000,
}

/** A producer that knows the topics. */
export async function connectedProducer(
  driver: Driver,
  topics: readonly string[],
  settings: Partial<ProducerSettings> = {},
): Promise<DriverProducer> {
  const producer = driver.createProducer({ ...producerSettings, ...settings })
  const deadline = systemClock.now() + 20_000
  await producer.connect(deadline)
  for (const topic of topics) await producer.loadTopic(topic, deadline)
  return producer
}

/** Stores one batch; rejects unless it was stored. */
export async function store(producer: DriverProducer, to: TopicPartition, values: readonly string[]): Promise<void> {
  const timestamp = Date.now()
  const records = values.map((value) => ({ key: null, value: Buffer.from(value), headers: noHeaders, timestamp }))
  const sizeBytes = values.reduce((sum, value) => sum + value.length + 20, 0)
  const outcome = await producer.produce(
    { ...to, records: heldRecords(records), sizeBytes },
    systemClock.now() + 20_000,
  )
  if (outcome.outcome !== 'stored') throw outcome.error
}
