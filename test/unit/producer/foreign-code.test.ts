import { expect, test } from 'vitest'
import { createMemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'
import { memory } from '../../../src/drivers/memory/memory.js'
import { SendError } from '../../../src/errors.js'
import { createMessaging } from '../../../src/messaging.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { string } from '../../../src/serde/string.js'
import type { Logger } from '../../../src/telemetry/logger.js'
import type { MetricsAdapter } from '../../../src/telemetry/metrics.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../../src/topic/define-topic.js'
import { start, topic } from './scripted-driver.js'

const text = defineTopic({ name: 't', value: string() })

function fail(): never {
  throw new Error('registry: cardinality limit')
}

function open(adapters: { readonly metrics?: MetricsAdapter; readonly logger?: Logger }) {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, latencyMs: [1, 5] })
  cluster.createTopic('t', { partitions: 1 })
  const messaging = createMessaging({ driver: memory({ cluster, runtime }), ...adapters })
  return { clock, cluster, messaging }
}

test('metrics that throw change nothing: sends end as they would, and the producer closes', async () => {
  const { clock, messaging } = open({ metrics: { count: fail, gauge: fail, observe: fail } })
  const producer = messaging.producer()
  expect(await clock.runUntil(producer.send(text, 'a'))).toMatchObject({ offset: 0 })
  expect(await clock.runUntil(producer.send(text, 'b'))).toMatchObject({ offset: 1 })
  expect(await clock.runUntil(producer.close())).toEqual({ unsent: 0, unknown: 0 })
})

test('a logger that throws as an epoch is raised changes nothing: the batch ends unknown, the next is stored', async () => {
  const logger: Logger = { debug: fail, info: fail, warn: fail, error: fail }
  const { clock, cluster, messaging } = open({ logger })
  const producer = messaging.producer({ deliveryTimeoutMs: 2_000, requestTimeoutMs: 2_000 })
  await clock.runUntil(producer.send(text, 'warm'))
  const held = cluster.faults.holdRequest({ api: 'produce' })
  const doubtful = producer.send(text, 'doubtful').catch((error: unknown) => error)
  expect(await clock.runUntil(doubtful)).toMatchObject({ outcome: 'unknown' })
  held.release()
  expect(await clock.runUntil(producer.send(text, 'next'))).toMatchObject({ partition: 0 })
})

test('an option whose getter throws fails its send as a SendError, not stored', async () => {
  const bench = await start()
  const options = Object.defineProperty({}, 'key', { enumerable: true, get: fail })
  for (const sent of [bench.producer.send(topic, '1:a', options), bench.producer.sendMany(topic, ['1:a'], options)]) {
    const error = await sent.catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(SendError)
    expect(error).toMatchObject({ code: 'invalid-options', outcome: 'not-stored' })
  }
})

test('encode that answers with a promise fails its send, and the promise is nobody else’s trouble', async () => {
  const bench = await start()
  const value = { ...topic.value, encode: () => Promise.reject(new Error('registry down')) as never }
  const error = await bench.producer.send({ ...topic, value }, '1:a').catch((caught: unknown) => caught)
  expect(error).toMatchObject({
    code: 'invalid-value',
    outcome: 'not-stored',
    message: expect.stringContaining('promise'),
  })
  await new Promise((resolve) => setImmediate(resolve))
})
