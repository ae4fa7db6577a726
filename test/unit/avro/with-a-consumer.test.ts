import { describe, expect, test } from 'vitest'
import { avro } from '../../../src/avro/avro.js'
import { bytes, createMessaging, defineTopic, json } from '../../../src/index.js'
import { memory } from '../../../src/memory.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

const schema = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'n', type: 'int' },
  ],
} as const

/** A cluster and a registry in one virtual time, with a producer and a consumer that do not know each other's schemas. */
function world() {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(7) }
  const server = memoryRegistry({ clock })
  const registryOf = () => schemaRegistry({ transport: server, runtime, retries: 0, timeoutMs: 1_000 })
  const ordersOf = () =>
    defineTopic({
      name: 'orders',
      key: 'id',
      partitions: 2,
      value: avro({ registry: registryOf(), schema, otherwise: json<{ id: string; n: number }>(), runtime }),
    })
  const messaging = createMessaging({
    driver: memory({ runtime }),
    durability: 'off',
    logger: 'silent',
  })
  return { clock, server, ordersOf, messaging }
}

describe('a topic by a schema registry', () => {
  test('is read in order over an outage of the registry of 60 s, and nothing becomes a dead letter', async () => {
    const { clock, server, ordersOf, messaging } = world()
    const dead = defineTopic({ name: 'dead', value: bytes() })
    const plain = defineTopic({ name: 'plain', value: json<number>() })
    await clock.runUntil(messaging.ensureTopics([ordersOf(), plain, dead]))
    const producer = messaging.producer()
    const handled: string[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [ordersOf(), plain],
      deadLetter: dead,
      handle: ({ topic, value }) => void handled.push(topic === 'plain' ? 'plain' : String((value as { n: number }).n)),
    })
    await clock.runUntil(consumer.start())
    const orders = ordersOf()
    const sent = Promise.all([0, 1, 2].map((n) => producer.send(orders, { id: 'a', n })))
    await clock.runUntil(sent)
    await clock.runUntil(() => handled.length === 3)

    server.state = 'down'
    // A writer of before, and one with a newer schema, of which nobody here knows.
    const old = defineTopic({ name: 'orders', key: 'id', value: json<{ id: string; n: number }>() })
    await clock.runUntil(producer.send(old, { id: 'a', n: 3 }))
    server.state = 'up'
    const newer = {
      ...schema,
      fields: [...schema.fields, { name: 'x', type: 'int', default: 0 }],
    } as const
    const registry = schemaRegistry({ transport: server, runtime: { clock, random: seededRandom(8) } })
    const young = defineTopic({ name: 'orders', key: 'id', value: avro({ registry, schema: newer }) })
    const last = producer.send(young, { id: 'a', n: 4, x: 1 })
    await clock.runUntil(() => server.requests.filter((one) => one.startsWith('POST')).length === 2)
    server.state = 'down'
    await clock.runUntil(last)
    await clock.runUntil(producer.send(plain, 1))
    await clock.advance(60_000)
    expect(handled).toEqual(['0', '1', '2', '3', 'plain'])
    expect(consumer.facts().partitions.map(({ waitsFor }) => waitsFor)).toContain('schema')

    server.state = 'up'
    await clock.advance(20_000)
    expect(handled).toEqual(['0', '1', '2', '3', 'plain', '4'])
    expect(consumer.facts().partitions.map(({ unsettled }) => unsettled)).toEqual([0, 0, 0])
    await clock.runUntil(messaging.close())
  })

  test('takes sends of a registry that is down for not stored, and those after it', async () => {
    const { clock, server, ordersOf, messaging } = world()
    await clock.runUntil(messaging.ensureTopics([ordersOf()]))
    server.state = 'down'
    const producer = messaging.producer({ maxBlockMs: 2_000 })
    const orders = ordersOf()
    const failed = producer.send(orders, { id: 'a', n: 1 }).catch((error: unknown) => error)
    await clock.advance(3_000)
    expect(await failed).toMatchObject({ outcome: 'not-stored', code: 'registry-unreachable', retriable: true })
    server.state = 'up'
    const receipt = await clock.runUntil(producer.send(orders, { id: 'a', n: 2 }))
    expect(receipt.offset).toBe(0)
    await clock.runUntil(messaging.close())
  })
})
