import { describe, expect, test } from 'vitest'
import { avro } from '../../../src/avro/avro.js'
import {
  bytes,
  createMessaging,
  defineTopic,
  json,
  murmur2,
  nullable,
  string,
  type Message,
} from '../../../src/index.js'
import { memory } from '../../../src/memory.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import { redrive } from '../../../src/redrive.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { murmur2Partition } from '../../../src/topic/murmur2.js'

interface Order {
  readonly tenant: number
  readonly id: string
}

const keySchema = {
  type: 'record',
  name: 'OrderKey',
  fields: [
    { name: 'tenant', type: 'int' },
    { name: 'id', type: 'string' },
  ],
} as const

/** Each `orders()` is of a process of its own, which knows no schema yet. */
function world() {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(7) }
  const server = memoryRegistry({ clock })
  const registryOf = () => schemaRegistry({ transport: server, runtime, retries: 0, timeoutMs: 1_000 })
  const keysBy = <const Schema>(schema: Schema, register = true) =>
    avro({ registry: registryOf(), schema: schema as typeof keySchema, register, runtime })
  const orders = () =>
    defineTopic({
      name: 'orders',
      key: ({ tenant, id }: Order) => ({ tenant, id }),
      keySerde: keysBy(keySchema),
      value: json<Order>(),
      partitions: 8,
    })
  const messaging = createMessaging({ driver: memory({ runtime }), durability: 'off', logger: 'silent' })
  return { clock, runtime, server, registryOf, keysBy, orders, messaging }
}

type World = ReturnType<typeof world>

/** All that a topic holds, in the order it was read. */
async function contentOf({ clock, messaging }: World, topic: string, count: number): Promise<readonly Message[]> {
  const seen: Message[] = []
  const raw = defineTopic({ name: topic, value: nullable(bytes()) })
  const reader = messaging.consumer({
    group: null,
    topics: [raw],
    from: 'earliest',
    handle: (message) => void seen.push(message),
  })
  await clock.runUntil(reader.start())
  await clock.runUntil(() => seen.length >= count)
  await clock.runUntil(reader.stop())
  return seen
}

describe('keys by a serde', () => {
  test('have the id of their schema under the subject of keys, go where Java puts such bytes, and are read in a handler', async () => {
    const here = world()
    const { clock, server, orders, messaging } = here
    const [written, read] = [orders(), orders()]
    await clock.runUntil(messaging.ensureTopics([written]))
    const seen: unknown[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [read],
      handle: ({ key, partition }) => {
        expect(partition).toBe(murmur2Partition(key as Buffer, 8))
        seen.push(read.keySerde.decode(key))
      },
    })
    await clock.runUntil(consumer.start())
    // The first waits for the id, and the second has it at once: they are one key all the same.
    const producer = messaging.producer()
    await clock.runUntil(producer.send(written, { tenant: 1, id: 'a' }))
    await clock.runUntil(producer.send(written, { tenant: 1, id: 'a' }))
    await clock.runUntil(() => seen.length === 2)
    expect(seen).toEqual([
      { tenant: 1, id: 'a' },
      { tenant: 1, id: 'a' },
    ])
    expect(server.requests).toEqual([
      'POST /subjects/orders-key',
      'POST /subjects/orders-key/versions',
      'GET /schemas/ids/1',
    ])
    const [first, second] = await contentOf(here, 'orders', 2)
    expect([...(first?.key ?? [])].slice(0, 5)).toEqual([0, 0, 0, 0, 1])
    expect(second?.key).toEqual(first?.key)
    await clock.runUntil(messaging.close())
  })

  test('name a record for its tombstone: made by the serde, or taken from a message', async () => {
    const here = world()
    const { clock, keysBy, messaging } = here
    const state = defineTopic({
      name: 'state',
      key: (order) => (order === null ? null : { tenant: order.tenant, id: order.id }),
      keySerde: keysBy(keySchema),
      value: nullable(json<Order>()),
    })
    await clock.runUntil(messaging.ensureTopics([state]))
    const producer = messaging.producer()
    // Before the id of the schema is known.
    const made = state.keySerde.encode({ tenant: 1, id: 'a' })
    await clock.runUntil(producer.send(state, null, { key: made }))
    await clock.runUntil(producer.send(state, { tenant: 1, id: 'a' }))
    const foreign = Buffer.from([0, 0, 0, 0, 99, 1])
    await clock.runUntil(producer.send(state, null, { key: foreign }))
    const keys = (await contentOf(here, 'state', 3)).map(({ key }) => key)
    expect(keys).toHaveLength(3)
    const own = keys.filter((key) => !key?.equals(foreign))
    expect(own).toHaveLength(2)
    expect(own[0]).toEqual(own[1])
    await clock.runUntil(messaging.close())
  })

  test('take text and numbers of a send through the serde too', async () => {
    const here = world()
    const { clock, registryOf, messaging } = here
    const keySerde = avro({ registry: registryOf(), schema: 'string' })
    const named = defineTopic({ name: 'named', key: 'id', keySerde, value: json<Order>() })
    await clock.runUntil(messaging.ensureTopics([named]))
    const producer = messaging.producer()
    await clock.runUntil(producer.send(named, { tenant: 1, id: 'a' }))
    await clock.runUntil(producer.send(named, { tenant: 1, id: 'b' }, { key: 'a' }))
    const [first, second] = await contentOf(here, 'named', 2)
    expect(second?.key).toEqual(first?.key)
    const refused = await producer.send(named, { tenant: 1, id: 'b' }, { key: 7 }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'invalid-key', outcome: 'not-stored' })
    expect((refused as Error).message).toContain('the key does not fit its Avro schema: the key: expected string')
    await clock.runUntil(messaging.close())
  })

  test('are refused by a second schema, which would make other keys of all, and taken by one that someone registered', async () => {
    const { clock, server, keysBy, orders, registryOf, messaging } = world()
    const producer = messaging.producer()
    await clock.runUntil(messaging.ensureTopics([orders()]))
    await clock.runUntil(producer.send(orders(), { tenant: 1, id: 'a' }))
    const wider = { ...keySchema, doc: 'the same fields' }
    const changed = () =>
      defineTopic({
        name: 'orders',
        key: ({ tenant, id }: Order) => ({ tenant, id }),
        keySerde: keysBy(wider),
        value: json<Order>(),
      })
    const refused = await clock.runUntil(
      producer.send(changed(), { tenant: 1, id: 'a' }).catch((error: unknown) => error),
    )
    expect(refused).toMatchObject({ code: 'schema-incompatible', outcome: 'not-stored' })
    expect((refused as Error).message).toContain('keys by a second one would be other keys')
    expect(server.requests.filter((request) => request.endsWith('orders-key/versions'))).toHaveLength(1)

    const schema = { schema: JSON.stringify(wider), schemaType: 'AVRO', references: [] } as const
    await clock.runUntil(registryOf().register('orders-key', schema))
    await clock.runUntil(producer.send(changed(), { tenant: 1, id: 'a' }))
    await clock.runUntil(messaging.close())
  })

  test('stay in the partition of their text where it is placed by', async () => {
    const here = world()
    const { clock, keysBy, messaging } = here
    const text = defineTopic({ name: 'orders', key: 'id', value: json<Order>(), partitions: 8 })
    const moved = defineTopic({
      name: 'orders',
      key: ({ tenant, id }: Order) => ({ tenant, id }),
      keySerde: keysBy(keySchema),
      value: json<Order>(),
      partitioner: murmur2({ by: ({ id }: Order) => id }),
    })
    await clock.runUntil(messaging.ensureTopics([text]))
    const producer = messaging.producer()
    const partitions: [number, number][] = []
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      const [before, after] = await clock.runUntil(
        Promise.all([producer.send(text, { tenant: 1, id }), producer.send(moved, { tenant: 1, id })]),
      )
      partitions.push([before.partition, after.partition])
    }
    for (const [before, after] of partitions) expect(after).toBe(before)
    expect(new Set(partitions.map(([before]) => before)).size).toBeGreaterThan(1)
    await clock.runUntil(messaging.close())
  })

  test('that no schema reads cost their record no attempt, and keep their bytes to the dead letter and back', async () => {
    const here = world()
    const { clock, orders, messaging } = here
    const read = orders()
    const dead = defineTopic({ name: 'dead', value: bytes() })
    await clock.runUntil(messaging.ensureTopics([read, dead]))
    let attempts = 0
    const consumer = messaging.consumer({
      group: 'g',
      topics: [read],
      deadLetter: dead,
      handle: ({ key }) => {
        attempts += 1
        read.keySerde.decode(key)
      },
    })
    await clock.runUntil(consumer.start())
    const plain = defineTopic({ name: 'orders', value: string() })
    const key = Buffer.from('plain text')
    await clock.runUntil(messaging.producer().send(plain, '{"tenant":1,"id":"a"}', { key }))
    const [letter] = await contentOf(here, 'dead', 1)
    expect(attempts).toBe(1)
    expect(letter?.key).toEqual(key)
    expect(letter?.headers.get('td-reason')).toBe('rejected')
    expect(letter?.headers.get('td-error-message')).toContain('the key names no schema')
    await clock.runUntil(consumer.stop())
    await clock.runUntil(redrive(messaging, { from: dead, allow: [orders()], group: 'redrive' }))
    expect((await contentOf(here, 'orders', 2)).map((message) => message.key)).toEqual([key, key])
    await clock.runUntil(messaging.close())
  })

  test('have lanes of their own: one waits for its record that is put off, and the other goes on', async () => {
    const { clock, keysBy, messaging } = world()
    const onOne = () =>
      defineTopic({
        name: 'orders',
        key: ({ tenant, id }: Order) => ({ tenant, id }),
        keySerde: keysBy(keySchema),
        value: json<Order>(),
        partitions: 1,
      })
    const [written, read] = [onOne(), onOne()]
    await clock.runUntil(messaging.ensureTopics([written]))
    const handled: string[] = []
    let isFirst = true
    const consumer = messaging.consumer({
      group: 'g',
      topics: [read],
      order: 'key',
      concurrency: 4,
      retryLater: { delays: ['1m'] },
      retry: false,
      handle: ({ key, value: { id } }) => {
        const { tenant } = read.keySerde.decode(key)
        if (isFirst && id === 'a') {
          isFirst = false
          throw new Error('not now')
        }
        handled.push(`${id}${tenant}`)
      },
    })
    await clock.runUntil(messaging.ensureTopics(consumer.delayTopics))
    await clock.runUntil(consumer.start())
    const producer = messaging.producer()
    for (const id of ['a', 'b', 'a', 'b']) await clock.runUntil(producer.send(written, { tenant: 1, id }))
    await clock.advance(20_000)
    expect(handled).toEqual(['b1', 'b1'])
    await clock.advance(120_000)
    expect(handled).toEqual(['b1', 'b1', 'a1', 'a1'])
    await clock.runUntil(messaging.close())
  })

  test('cost no record anything where their schema was put out of the cache before it was handled', async () => {
    const { clock, registryOf, messaging, runtime } = world()
    const registry = registryOf()
    const raw = defineTopic({ name: 'orders', value: json<number>(), partitions: 1 })
    await clock.runUntil(messaging.ensureTopics([raw]))
    const producer = messaging.producer()
    for (let n = 0; n < 12; n += 1) {
      const schema = JSON.stringify({ type: 'record', name: `K${n % 4}`, fields: [{ name: 'id', type: 'int' }] })
      const id = await registry.register(`k${n % 4}`, { schema, schemaType: 'AVRO', references: [] })
      await clock.runUntil(producer.send(raw, n, { key: Buffer.from([0, 0, 0, 0, id, 2 * n]) }))
    }
    const keySerde = avro<{ id: number }>({ registry: registryOf(), runtime, mostSchemas: 1 })
    const orders = defineTopic({ name: 'orders', keySerde, value: json<number>() })
    const dead = defineTopic({ name: 'dead', value: bytes() })
    await clock.runUntil(messaging.ensureTopics([dead]))
    const keys: number[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [orders],
      from: 'earliest',
      deadLetter: dead,
      handle: ({ key }) => void keys.push(orders.keySerde.decode(key).id),
    })
    await clock.runUntil(consumer.start())
    await clock.runUntil(() => keys.length === 12)
    expect(keys).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    await clock.runUntil(messaging.close())
  })

  test('of transactions are whole when they are stored', async () => {
    const here = world()
    const { clock, runtime, orders } = here
    const messaging = createMessaging({
      driver: memory({ runtime }),
      profile: 'transactional',
      durability: 'off',
      logger: 'silent',
    })
    const topic = orders()
    await clock.runUntil(messaging.ensureTopics([topic]))
    await clock.runUntil(
      messaging.transaction('t', async (context) => {
        await context.send(topic, { tenant: 1, id: 'a' })
      }),
    )
    const [stored] = await contentOf({ ...here, messaging }, 'orders', 1)
    expect([...(stored?.key ?? [])].slice(0, 5)).toEqual([0, 0, 0, 0, 1])
    await clock.runUntil(messaging.close())
  })
})
