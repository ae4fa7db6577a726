import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { z } from 'zod'
import { avro } from '../../src/avro.js'
import { bytes, createMessaging, defineTopic, json, type Messaging } from '../../src/index.js'
import { jsonSchema } from '../../src/json-schema.js'
import { kafkajs } from '../../src/kafkajs.js'
import { schemaRegistry } from '../../src/registry.js'
import { startHttpProxy } from '../support/http-proxy.js'
import { startRegistry, type RegistryServer } from '../support/registry-server.js'
import { delay, until } from '../support/waiting.js'

/** `TIDEMARK_FULL=1`: a minute. */
const outageMs = process.env['TIDEMARK_FULL'] === '1' ? 60_000 : 10_000
const keys = 8

const schema = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'n', type: 'int' },
    { name: 'placedAt', type: { type: 'long', logicalType: 'timestamp-millis' } },
  ],
} as const
const newer = { ...schema, fields: [...schema.fields, { name: 'note', type: 'string', default: '' }] } as const

let server: RegistryServer
let messaging: Messaging

beforeAll(async () => {
  server = await startRegistry()
  messaging = createMessaging({
    driver: kafkajs({ brokers: [...inject('kafkaBrokers')], clientId: 'schemas', logLevel: logLevel.NOTHING }),
    profile: 'cp',
    logger: 'silent',
  })
}, 300_000)
afterAll(async () => {
  await messaging?.close()
  await server?.stop()
})

/** What a process of its own would have: it knows no schema yet. */
const registryOf = () => schemaRegistry({ urls: server.url })
const order = (id: string, n: number) => ({ id, n, placedAt: new Date(1_767_225_600_000 + n) })

describe('schemas of a real registry', () => {
  it('carry Avro and JSON through Kafka to a reader that knows none of them', async () => {
    const Event = z.object({ id: z.string(), tags: z.array(z.string()) })
    const topics = () => {
      const registry = registryOf()
      const value = jsonSchema({ registry, schema: z.toJSONSchema(Event), check: Event })
      return {
        orders: defineTopic({ name: 'schemas.orders', key: 'id', value: avro({ registry, schema }), partitions: 2 }),
        events: defineTopic({ name: 'schemas.events', key: 'id', value, partitions: 2 }),
      }
    }
    const written = topics()
    await messaging.ensureTopics([written.orders, written.events])
    const producer = messaging.producer()
    const sent = Array.from({ length: 50 }, (_, n) => order('a', n))
    await Promise.all(sent.map((value) => producer.send(written.orders, value)))
    await producer.send(written.events, { id: 'b', tags: ['x', 'y'] })
    const read = topics()
    const handled: unknown[] = []
    const consumer = messaging.consumer({
      group: 'schemas.orders',
      topics: [read.orders, read.events],
      from: 'earliest',
      handle: ({ value }) => void handled.push(value),
    })
    await consumer.start()
    await until('all are handled', () => handled.length === 51)
    await consumer.stop()
    expect(handled.filter((value) => 'n' in (value as object))).toEqual(sent)
    expect(handled).toContainEqual({ id: 'b', tags: ['x', 'y'] })
  })

  it('are waited for over an outage under load: nothing lost or dead-lettered, in order, other topics go on', async () => {
    const name = 'schemas.outage'
    const topicOf = () =>
      defineTopic({ name, key: 'id', value: avro({ registry: registryOf(), schema }), partitions: 4 })
    const plain = defineTopic({ name: `${name}.plain`, value: json<number>(), partitions: 1 })
    const dead = defineTopic({ name: `${name}.dlq`, value: bytes(), partitions: 1 })
    const first = defineTopic({ name: `${name}.first`, value: avro({ registry: registryOf(), schema }), partitions: 1 })
    await messaging.ensureTopics([topicOf(), plain, dead, first])
    const numbers = new Map<string, number[]>()
    const plains: number[] = []
    const consumer = messaging.consumer({
      group: name,
      topics: [topicOf(), plain],
      deadLetter: dead.name,
      handle: ({ topic, value }) => {
        if (topic === plain.name) return void plains.push(value as number)
        const { id, n } = value as { id: string; n: number }
        numbers.set(id, [...(numbers.get(id) ?? []), n])
      },
    })
    await consumer.start()
    // The registry's start may take a minute on a busy machine.
    const producer = messaging.producer({ maxBlockMs: outageMs + 150_000, deliveryTimeoutMs: outageMs + 180_000 })
    const old = topicOf()
    // Its schema is registered before the outage, and the consumer hears of it in the outage.
    const young = defineTopic({
      name,
      key: 'id',
      value: avro({ registry: registryOf(), schema: newer }),
      partitions: 4,
    })
    await young.value.writing?.prepare()
    let round = 0
    const send = async (write: (id: string, n: number) => Promise<unknown>) => {
      const n = (round += 1) - 1
      await Promise.all([...Array(keys).keys()].map((key) => write(`key ${key}`, n)))
    }
    const byOld = (id: string, n: number) => producer.send(old, order(id, n))
    const byYoung = (id: string, n: number) => producer.send(young, { ...order(id, n), note: 'of a newer writer' })
    for (let at = 0; at < 20; at += 1) await send(byOld)
    const handled = () => [...numbers.values()].reduce((sum, all) => sum + all.length, 0)
    const seen = async () => {
      const counts = { sent: round * keys, handled: handled(), dead: await endOf(dead.name), lag: consumer.lag() }
      return JSON.stringify([counts, consumer.facts().partitions])
    }
    await until('the first are handled', () => handled() === 20 * keys)

    await server.stop()
    const endsAt = Date.now() + outageMs
    // Of a topic that nobody sent to before, and so without an id.
    const waiting = settled(producer.send(first, order('first', 0)))
    let plainSent = 0
    while (Date.now() < endsAt) {
      await send(round % 2 === 0 ? byYoung : byOld)
      await producer.send(plain, (plainSent += 1) - 1)
      await delay(50)
    }
    await until('the other topic is handled', () => plains.length === plainSent)
    expect(handled()).toBe(20 * keys)
    expect(consumer.facts().partitions.map(({ waitsFor }) => waitsFor)).toContain('schema')

    await server.start()
    for (let at = 0; at < 20; at += 1) await send(byYoung)
    await until('it goes on', () => handled() >= round * keys && consumer.lag() === 0, {
      timeoutMs: 60_000,
      seen,
    })
    const waited = await waiting
    expect(waited, String(waited.status === 'rejected' ? waited.reason : '')).toMatchObject({
      status: 'fulfilled',
      value: { offset: 0 },
    })
    await consumer.stop()
    const all = Array.from({ length: round }, (_, n) => n)
    expect([...numbers.keys()].sort()).toEqual([...Array(keys).keys()].map((key) => `key ${key}`))
    for (const seen of numbers.values()) expect(seen).toEqual(all)
    expect(await endOf(dead.name)).toBe(0)
  }, 300_000)

  it('of a registry that takes its time for an answer hold up no other topic', async () => {
    const name = 'schemas.slow'
    const proxy = await startHttpProxy(server.url)
    try {
      const topicOf = (urls: string) => {
        const registry = schemaRegistry({ urls, timeoutMs: 60_000 })
        return defineTopic({ name, key: 'id', value: avro({ registry, schema }), partitions: 1 })
      }
      const plain = defineTopic({ name: `${name}.plain`, value: json<number>(), partitions: 1 })
      await messaging.ensureTopics([topicOf(server.url), plain])
      const handled: unknown[] = []
      const consumer = messaging.consumer({
        group: name,
        topics: [topicOf(proxy.url), plain],
        handle: ({ value }) => void handled.push(value),
      })
      await consumer.start()
      const release = proxy.hold()
      const producer = messaging.producer()
      await producer.send(plain, -1)
      await until('it reads', () => handled.length === 1)
      await producer.send(topicOf(server.url), order('slow', 0))
      await until('the registry is asked', () => consumer.facts().partitions.some((one) => one.waitsFor === 'schema'))
      for (let n = 0; n < 20; n += 1) await producer.send(plain, n)
      await until('the other topic is handled', () => handled.length === 21)
      expect(handled).toEqual([-1, ...Array(20).keys()])
      release()
      await until('the slow one is handled', () => handled.length === 22)
      await consumer.stop()
      expect(proxy.requests).toHaveLength(1)
    } finally {
      await proxy.close()
    }
  })

  it('that would break readers are refused by name, and nothing is stored', async () => {
    const name = 'schemas.broken'
    const producer = messaging.producer()
    const good = defineTopic({ name, key: 'id', value: avro({ registry: registryOf(), schema }), partitions: 1 })
    await messaging.ensureTopics([good])
    await producer.send(good, order('a', 0))
    await server.demand(`${name}-value`, 'BACKWARD')
    const breaking = { ...schema, fields: [...schema.fields, { name: 'must', type: 'int' }] } as const
    const registry = registryOf()
    const bad = defineTopic({ name, key: 'id', value: avro({ registry, schema: breaking }), partitions: 1 })
    const error: unknown = await producer.send(bad, { ...order('a', 1), must: 1 }).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ outcome: 'not-stored', code: 'schema-incompatible' })
    const registered = (text: unknown) =>
      ({ schema: JSON.stringify(text), schemaType: 'AVRO', references: [] }) as const
    expect(await registry.isCompatible(`${name}-value`, registered(breaking))).toBe(false)
    expect(await registry.isCompatible(`${name}-value`, registered(newer))).toBe(true)
    expect(await registry.isCompatible(`${name}.nobody-value`, registered(newer))).toBe(true)
    expect(await endOf(name)).toBe(1)
  })

  it('are only looked up where registering is off', async () => {
    const name = 'schemas.given'
    const topicOf = () =>
      defineTopic({ name, key: 'id', value: avro({ registry: registryOf(), schema, register: false }), partitions: 1 })
    await messaging.ensureTopics([topicOf()])
    const producer = messaging.producer()
    const error: unknown = await producer.send(topicOf(), order('a', 0)).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ outcome: 'not-stored' })
    expect((error as { code: string }).code).toMatch(/^(?:subject|schema)-not-found$/)
    const registry = registryOf()
    const text = JSON.stringify(schema)
    const id = await registry.register(`${name}-value`, { schema: text, schemaType: 'AVRO', references: [] })
    const { offset } = await producer.send(topicOf(), order('a', 1))
    expect(offset).toBe(0)
    expect(await registry.latest(`${name}-value`)).toMatchObject({ id, version: 1 })
  })
})

const settled = async <Value>(promise: Promise<Value>) => (await Promise.allSettled([promise]))[0]

/** Records of the first partition, as the broker counts them. */
async function endOf(topic: string): Promise<number> {
  const admin = new Kafka({ brokers: [...inject('kafkaBrokers')], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const partitions = await admin.fetchTopicOffsets(topic)
    return Number(partitions.find(({ partition }) => partition === 0)?.high)
  } finally {
    await admin.disconnect()
  }
}
