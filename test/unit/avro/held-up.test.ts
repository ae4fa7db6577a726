import { describe, expect, test } from 'vitest'
import { avro } from '../../../src/avro/avro.js'
import { bytes, createMessaging, defineTopic, json, type Message } from '../../../src/index.js'
import { memory } from '../../../src/memory.js'
import { redrive } from '../../../src/redrive.js'
import { schemaRegistry } from '../../../src/registry/schema-registry.js'
import type { RegistryTransport } from '../../../src/registry/transport.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { memoryRegistry } from '../../../src/testing/registry/memory-registry.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

interface Order {
  readonly id: string
  readonly n: number
}

const schema = {
  type: 'record',
  name: 'Order',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'n', type: 'int' },
  ],
} as const
const invoice = { type: 'record', name: 'Invoice', fields: [{ name: 'cents', type: 'long' }] } as const

/** Several processes on one cluster; `orders()` is of a process that knows no schema yet. */
function world() {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(7) }
  const server = memoryRegistry({ clock })
  const address = { now: server }
  const transport: RegistryTransport = {
    address: 'memory',
    send: (request, signal) => address.now.send(request, signal),
  }
  const registryOf = () => schemaRegistry({ transport, runtime, retries: 0, timeoutMs: 1_000 })
  const orders = () =>
    defineTopic({ name: 'orders', key: 'id', partitions: 4, value: avro({ registry: registryOf(), schema, runtime }) })
  const dead = defineTopic({ name: 'dead', value: bytes(), partitions: 4 })
  const driver = memory({ runtime })
  const process = () => createMessaging({ driver, durability: 'off', logger: 'silent' })
  return { clock, server, address, registryOf, orders, dead, process }
}

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

/** A topic with three records of each key, and a registry that is down. */
async function heldUp() {
  const here = world()
  const { clock, orders, dead, process, server } = here
  const writer = process()
  await clock.runUntil(writer.ensureTopics([orders(), dead]))
  const producer = writer.producer()
  const topic = orders()
  for (const n of [0, 1, 2]) await clock.runUntil(Promise.all(ids.map((id) => producer.send(topic, { id, n }))))
  server.state = 'down'
  const handled: string[] = []
  const reader = () => {
    const messaging = process()
    const consumer = messaging.consumer({
      group: 'g',
      topics: [orders()],
      deadLetter: dead,
      handle: ({ value }) => void handled.push(`${value.id}${value.n}`),
    })
    return { messaging, consumer }
  }
  return { ...here, writer, handled, reader }
}

/** Each key in its order. */
function expectAllInOrder(handled: readonly string[]): void {
  for (const id of ids) expect(handled.filter((one) => one.startsWith(id))).toEqual([`${id}0`, `${id}1`, `${id}2`])
}

const isHeldUp = ({ consumer }: ReturnType<Awaited<ReturnType<typeof heldUp>>['reader']>) =>
  consumer.facts().partitions.filter(({ waitsFor }) => waitsFor === 'schema').length

describe('a consumer whose records wait for their schema', () => {
  test('stops at once, gives nothing up, and the next one begins at the same records', async () => {
    const { clock, server, writer, handled, reader, dead } = await heldUp()
    const first = reader()
    await clock.runUntil(first.consumer.start())
    await clock.runUntil(() => isHeldUp(first) > 0)
    await clock.advance(15_000)
    const before = clock.now()
    await clock.runUntil(first.consumer.stop())
    expect(clock.now() - before).toBeLessThan(1_000)
    await clock.runUntil(first.messaging.close())
    const asked = server.requests.length
    await clock.advance(60_000)
    expect(server.requests.length).toBe(asked)

    server.state = 'up'
    const second = reader()
    await clock.runUntil(second.consumer.start())
    await clock.runUntil(() => handled.length >= 24)
    expectAllInOrder(handled)
    expect(await countOf(writer, clock, dead.name)).toBe(0)
    await clock.runUntil(Promise.all([second.messaging.close(), writer.close()]))
  })

  test('hands its partitions on to a member that joins, and each record is handled once, in order', async () => {
    const { clock, server, writer, handled, reader, dead } = await heldUp()
    const first = reader()
    await clock.runUntil(first.consumer.start())
    await clock.runUntil(() => isHeldUp(first) > 0)
    const second = reader()
    await clock.runUntil(second.consumer.start())
    await clock.runUntil(() => first.consumer.facts().partitions.length === 2 && isHeldUp(second) > 0)
    expect(handled).toEqual([])

    server.state = 'up'
    await clock.runUntil(() => handled.length >= 24)
    await clock.advance(10_000)
    expectAllInOrder(handled)
    expect(handled).toHaveLength(24)
    expect(await countOf(writer, clock, dead.name)).toBe(0)
    await clock.runUntil(Promise.all([first.messaging.close(), second.messaging.close(), writer.close()]))
  })
})

describe('records that their schema does not read', () => {
  test('are dead letters with their bytes, and come back as the same bytes for who reads them', async () => {
    const { clock, orders, dead, process } = world()
    const messaging = process()
    await clock.runUntil(messaging.ensureTopics([orders(), dead]))
    const plain = defineTopic({ name: 'orders', key: 'id', value: json<Order>() })
    const producer = messaging.producer()
    await clock.runUntil(producer.send(plain, { id: 'a', n: 1 }))
    const cut = defineTopic({ name: 'orders', value: bytes() })
    await clock.runUntil(producer.send(orders(), { id: 'a', n: 2 }))
    await clock.runUntil(producer.send(cut, Buffer.from([0, 0, 0, 0, 1, 200]), { key: 'a' }))
    const strict: number[] = []
    const first = messaging.consumer({
      group: 'g',
      topics: [orders()],
      deadLetter: dead,
      handle: ({ value }) => void strict.push(value.n),
    })
    await clock.runUntil(first.start())
    await clock.runUntil(() => strict.length === 1)
    const letters = await contentOf(clock, messaging, 'dead', 2)
    expect(letters.map(({ value }) => value)).toEqual([
      Buffer.from('{"id":"a","n":1}'),
      Buffer.from([0, 0, 0, 0, 1, 200]),
    ])
    expect(letters.map(({ headers }) => headers.get('td-reason'))).toEqual(['undecodable', 'undecodable'])
    await clock.runUntil(first.stop())

    await clock.runUntil(redrive(messaging, { from: dead, allow: [plain], group: 'redrive' }))
    const stored = await contentOf(clock, messaging, 'orders', 5)
    expect(stored.slice(3).map(({ value }) => value)).toEqual(letters.map(({ value }) => value))
    expect(stored.slice(3).map(({ key }) => key?.toString())).toEqual(['a', 'a'])
    await clock.runUntil(messaging.close())
  })

  test('because its id means another schema since the registry was set up anew are no values of that schema', async () => {
    const { clock, server, address, registryOf, orders, dead, process } = world()
    const messaging = process()
    await clock.runUntil(messaging.ensureTopics([orders(), dead]))
    const producer = messaging.producer()
    const written = orders()
    const knowing: number[] = []
    const old = messaging.consumer({
      group: 'old',
      topics: [orders()],
      handle: ({ value }) => void knowing.push(value.n),
    })
    await clock.runUntil(old.start())
    await clock.runUntil(producer.send(written, { id: 'a', n: 1 }))
    await clock.runUntil(() => knowing.length === 1)

    address.now = memoryRegistry({ clock })
    const other = { schema: JSON.stringify(invoice), schemaType: 'AVRO', references: [] } as const
    expect(await clock.runUntil(registryOf().register('invoices-value', other))).toBe(1)
    await clock.runUntil(producer.send(written, { id: 'a', n: 2 }))
    // Who learnt the id before knows what these bytes are.
    await clock.runUntil(() => knowing.length === 2)
    expect(knowing).toEqual([1, 2])

    const fresh: number[] = []
    const young = messaging.consumer({
      group: 'young',
      topics: [orders()],
      from: 'earliest',
      deadLetter: dead,
      handle: ({ value }) => void fresh.push(value.n),
    })
    await clock.runUntil(young.start())
    const letters = await contentOf(clock, messaging, 'dead', 2)
    expect(fresh).toEqual([])
    expect(letters[0]?.headers.get('td-error-message')).toContain('cannot be brought to the schema given here')

    // The registry is restored: the same process reads what was refused, a minute later.
    address.now = server
    await clock.advance(61_000)
    await clock.runUntil(redrive(messaging, { from: dead, allow: [written], group: 'redrive' }))
    await clock.runUntil(() => fresh.length === 2)
    expect(fresh).toEqual([1, 2])
    await clock.runUntil(messaging.close())
  })
})

type Clock = ReturnType<typeof virtualClock>
type Messaging = ReturnType<typeof createMessaging>

/** Records that a topic of four partitions holds. */
async function countOf(messaging: Messaging, clock: Clock, topic: string): Promise<number> {
  const partitions = [0, 1, 2, 3].map((partition) => ({ topic, partition }))
  const ends = await clock.runUntil(messaging.admin.listOffsets(partitions, 'latest'))
  return ends.reduce((sum, end) => sum + end, 0)
}

/** What a topic holds, each partition in its order. */
async function contentOf(clock: Clock, messaging: Messaging, name: string, count: number): Promise<readonly Message[]> {
  const seen: Message[] = []
  const reader = messaging.consumer({
    group: null,
    topics: [defineTopic({ name, value: bytes() })],
    from: 'earliest',
    handle: (message) => void seen.push(message),
  })
  await clock.runUntil(reader.start())
  await clock.runUntil(() => seen.length >= count)
  await clock.runUntil(reader.stop())
  return seen
}
