import { createMessaging, defineTopic, type Messaging } from 'tidemark'
import { avro } from 'tidemark/avro'
import { createMemoryCluster, memory } from 'tidemark/memory'
import type { OutboxRelay, RelayOptions } from 'tidemark/outbox'
import { schemaRegistry } from 'tidemark/registry'
import { memoryRegistry } from 'tidemark/testing'
import { describe, expect, it } from 'vitest'
import { senderId } from '../../../src/message/headers.js'
import type { OutboxRow } from '../../../src/outbox/outbox-store.js'
import { RelayLanes, type RowEnd } from '../../../src/outbox/relay-lanes.js'
import { deferred } from '../../../src/runtime/deferred.js'
import { seededRandom } from '../../../src/runtime/random.js'
import type { ClientEvent } from '../../../src/telemetry/events.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { FakeOutbox } from './fake-outbox.js'

/** A table, a Kafka, and as many relays as are asked for, each in a messaging of its own, as in another process. */
function world() {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(7) }
  const cluster = createMemoryCluster({ runtime, latencyMs: 1 })
  cluster.createTopic('t', { partitions: 3 })
  const outbox = new FakeOutbox(clock)
  const events: ClientEvent[] = []
  const gauges = new Map<string, number>()
  const open: Messaging[] = []
  const relay = async (options: RelayOptions = {}): Promise<OutboxRelay> => {
    const messaging = createMessaging({
      driver: memory({ cluster, runtime }),
      clientId: `relay-${open.length}`,
      durability: 'off',
      onEvent: (event) => void events.push(event),
      metrics: { count: () => undefined, observe: () => undefined, gauge: (name, _, value) => gauges.set(name, value) },
    })
    open.push(messaging)
    const made = messaging.relay(outbox, options)
    await made.start()
    return made
  }
  const log = (topic = 't') =>
    Array.from({ length: cluster.partitionCount(topic) }, (_, partition) => cluster.records(topic, partition))
      .flat()
      .map(({ key, value, headers }) => ({
        key: key?.toString() ?? null,
        value: value?.toString() ?? '',
        id: senderId(headers),
      }))
  const close = async () => {
    const closed = Promise.allSettled(open.map((messaging) => messaging.close({ timeoutMs: 1_000 })))
    await clock.advance(10_000)
    await closed
    await cluster.close()
  }
  return { clock, cluster, outbox, events, gauges, relay, log, close }
}

const flush = () => new Promise((resolve) => setImmediate(resolve))

const valuesOf = (log: readonly { readonly key: string | null; readonly value: string }[], key: string | null) =>
  log.filter((one) => one.key === key).map(({ value }) => value)

describe('a relay', () => {
  it('sends every row once with its id, those of a key in order, and leaves none', async () => {
    const { clock, outbox, relay, log, close } = world()
    for (let at = 0; at < 80; at += 1) outbox.add(at % 7 === 0 ? null : `k${at % 5}`, `${at}`)
    const made = await relay()
    await clock.advance(5_000)
    const sent = log()
    expect(sent).toHaveLength(80)
    expect(new Set(sent.map(({ id }) => id)).size).toBe(80)
    for (let key = 0; key < 5; key += 1) {
      const values = valuesOf(sent, `k${key}`).map(Number)
      expect(values).toEqual([...values].sort((a, b) => a - b))
    }
    expect(outbox.rows.size).toBe(0)
    expect(made.facts()).toMatchObject({ state: 'active', sent: 80, inHand: 0 })
    await close()
  })

  it('sends what is committed late in its place: a lower number that was not there yet goes before its key goes on', async () => {
    const { clock, outbox, relay, log, close } = world()
    await relay({ pollMs: 10 })
    const late = outbox.begin('a', 'a1')
    outbox.add('b', 'b1')
    await clock.advance(1_000)
    late()
    outbox.add('a', 'a2')
    await clock.advance(1_000)
    expect(valuesOf(log(), 'a')).toEqual(['a1', 'a2'])
    expect(valuesOf(log(), 'b')).toEqual(['b1'])
    await close()
  })

  it('puts what is stored at about the same time on record in one call, the first of it too', async () => {
    const { clock, outbox, relay, close } = world()
    const calls: number[] = []
    const sent = outbox.sent.bind(outbox)
    outbox.sent = (numbers) => {
      calls.push(numbers.length)
      return sent(numbers)
    }
    for (let at = 0; at < 60; at += 1) outbox.add(`k${at}`, `${at}`)
    await relay()
    await clock.advance(5_000)
    expect(calls).toEqual([60])
    await close()
  })

  it('looks at once when it is woken', async () => {
    const { clock, outbox, relay, log, close } = world()
    const made = await relay({ pollMs: 60_000 })
    await clock.advance(1_000)
    outbox.add('a', 'a1')
    made.wake()
    await clock.advance(100)
    expect(log()).toHaveLength(1)
    // In the middle of a look at the table: it looks once more.
    outbox.latencyMs = 50
    made.wake()
    await clock.advance(20)
    outbox.add('b', 'b1')
    outbox.add('b', 'b2')
    made.wake()
    await clock.advance(1_000)
    expect(log()).toHaveLength(3)
    await close()
  })

  it('sends while its rows are counted, however long that takes', async () => {
    const { clock, outbox, events, relay, log, close } = world()
    outbox.countMs = 7_000
    const made = await relay()
    for (let at = 0; at < 20; at += 1) outbox.add(`k${at % 3}`, `${at}`)
    await clock.advance(1_000)
    expect(log()).toHaveLength(20)
    outbox.add('a', 'x', 'nowhere')
    await clock.advance(120_000)
    expect(made.facts().rows).toBe(1)
    outbox.countMs = 60_000
    await clock.advance(60_000)
    for (let at = 0; at < 20; at += 1) outbox.add(`k${at % 3}`, `${at}`)
    await clock.advance(1_000)
    expect(log()).toHaveLength(40)
    expect(events.flatMap(({ kind }) => (kind === 'outbox-unreachable' ? [kind] : []))).toEqual([])
    await close()
  })

  it('tells how many rows wait, and for how long', async () => {
    const { clock, outbox, gauges, relay, close } = world()
    outbox.add('a', 'x', 'nowhere')
    outbox.add('a', 'y', 'nowhere')
    const made = await relay()
    await clock.advance(31_000)
    expect(made.facts().rows).toBe(2)
    expect(gauges.get('tidemark_outbox_rows')).toBe(2)
    expect(gauges.get('tidemark_outbox_oldest_age_seconds')).toBeGreaterThan(20)
    await close()
  })
})

describe('a row that Kafka will never take', () => {
  it('is held and told; its key waits, others do not; released or discarded the key goes on', async () => {
    const { clock, outbox, events, relay, log, close } = world()
    const made = await relay({ maxRequestBytes: 10_000 })
    outbox.add('a', 'a1')
    outbox.add('a', Buffer.alloc(20_000))
    for (let at = 0; at < 50; at += 1) outbox.add(`b${at}`, 'b')
    outbox.add('a', 'a3')
    await clock.advance(10_000)
    expect(valuesOf(log(), 'a')).toEqual(['a1'])
    expect(log()).toHaveLength(51)
    const held = events.filter((event) => event.kind === 'outbox-row-held')
    expect(held).toMatchObject([{ topic: 't', number: 2, id: 'id-2', error: { code: 'record-too-large' } }])
    await clock.advance(6_000)
    expect(made.facts()).toMatchObject({ rows: 2, held: 1 })
    outbox.rows.delete(2)
    await clock.advance(2_000)
    expect(valuesOf(log(), 'a')).toEqual(['a1', 'a3'])
    await close()
  })
})

describe('a topic that does not exist', () => {
  it('holds up its own rows alone, and they are sent when it does', async () => {
    const { clock, cluster, outbox, events, relay, log, close } = world()
    await relay({ sendTimeoutMs: 1_000 })
    for (let at = 0; at < 30; at += 1) outbox.add(`k${at % 3}`, `${at}`, 'later')
    for (let at = 0; at < 30; at += 1) outbox.add(`k${at % 3}`, `${at}`)
    await clock.advance(5_000)
    expect(log()).toHaveLength(30)
    await clock.advance(10_000)
    cluster.createTopic('later', { partitions: 1 })
    await clock.advance(60_000)
    for (let key = 0; key < 3; key += 1) {
      const values = valuesOf(log('later'), `k${key}`).map(Number)
      expect(values).toEqual(Array.from({ length: 10 }, (_, at) => 3 * at + key))
    }
    const told = events.flatMap(({ kind }) => (kind.startsWith('outbox') ? [kind] : []))
    expect(told).toEqual(['outbox-not-sent', 'outbox-sent-again'])
    await close()
  })
})

describe('a topic that takes nothing', () => {
  it('leaves room for others, however many rows of it wait in front of theirs', async () => {
    const { clock, cluster, outbox, relay, log, close } = world()
    cluster.createTopic('dead', { partitions: 1 })
    const notEnoughReplicas = 19
    for (let at = 0; at < 5_000; at += 1) {
      cluster.faults.failNext({ api: 'produce', topic: 'dead' }, notEnoughReplicas)
    }
    await relay()
    const large = Buffer.alloc(1_000_000)
    for (let at = 0; at < 40; at += 1) outbox.add(at % 2 === 0 ? `k${at}` : null, large, 'dead')
    await clock.advance(3_000)
    for (let at = 0; at < 40; at += 1) {
      outbox.add(`k${at % 10}`, `${at}`)
      await clock.advance(1_000)
      expect(log()).toHaveLength(at + 1)
    }
    cluster.faults.clear()
    await clock.advance(60_000)
    expect(new Set(log('dead').map(({ id }) => id)).size).toBe(40)
    expect(outbox.rows.size).toBe(0)
    await close()
  })
})

describe('a topic whose values are read by a schema registry', () => {
  it('goes where its partitioner says, and an outage of the registry holds none of its rows', async () => {
    const { clock, outbox, relay, log, close } = world()
    const server = memoryRegistry({ clock })
    const runtime = { clock, random: seededRandom(7) }
    const asked: unknown[] = []
    const topicOf = () =>
      defineTopic({
        name: 't',
        value: avro({ registry: schemaRegistry({ transport: server, runtime, retries: 0 }), schema: 'int', runtime }),
        partitioner: {
          name: 'by value',
          create:
            () =>
            ({ value }) => (asked.push(value), 1),
        },
      })
    const serde = topicOf().value
    const value = serde.encode(7) as Buffer
    await clock.runUntil(serde.writing!.prepare())
    serde.writing!.complete(value)
    server.state = 'down'
    const made = await relay({ topics: [topicOf()] })
    outbox.add('a', value)
    await clock.advance(5_000)
    expect([...outbox.rows.values()].map(({ state }) => state)).toEqual(['pending'])
    expect(log()).toEqual([])
    server.state = 'up'
    await clock.advance(30_000)
    expect(outbox.rows.size).toBe(0)
    expect(asked).toEqual([7])
    expect(made.facts()).toMatchObject({ sent: 1, inHand: 0 })
    await close()
  })
})

describe('a row whose content is fetched while the one before it fails', () => {
  it('is not sent before it', async () => {
    const { clock, cluster, outbox, relay, log, close } = world()
    outbox.contentsMs = 100
    await relay({ sendTimeoutMs: 350, pollMs: 5 })
    outbox.add('a', 'a1', 'later')
    await clock.advance(400)
    outbox.add('a', 'a2', 'later')
    await clock.advance(80)
    cluster.createTopic('later', { partitions: 1 })
    await clock.advance(3_000)
    expect(valuesOf(log('later'), 'a')).toEqual(['a1', 'a2'])
    expect(outbox.rows.size).toBe(0)
    await close()
  })

  it.each(['failed', 'held'] as const)(
    'is let go with it, when that one is %s, and its key goes on later',
    async (end) => {
      const sent: number[] = []
      const first = deferred<RowEnd>()
      let now = 0
      const lanes = new RelayLanes({
        now: () => now,
        send: (row) => {
          sent.push(row.number)
          return sent.length === 1 ? first.promise : Promise.resolve('stored')
        },
        onStored: (row) => lanes.letGo(row),
        restMs: () => 100,
      })
      const rowOf = (number: number, previous: number | null): OutboxRow => ({
        number,
        lane: 'a',
        previous,
        topic: 't',
        sizeBytes: 1,
      })
      const start = (row: OutboxRow) =>
        lanes.start(row, { number: row.number, key: null, value: null, headers: [], partition: null, timestamp: 1 })
      const [one, two, three] = [rowOf(1, null), rowOf(2, 1), rowOf(3, 2)]
      lanes.take(one)
      start(one)
      expect(lanes.mayTake(two)).toBe(true)
      lanes.take(two)
      lanes.take(three)
      first.resolve(end)
      await flush()
      expect(lanes.inHand).toBe(0)
      for (const row of [two, three]) start(row)
      await flush()
      expect(sent).toEqual([1])
      expect([lanes.mayTake(two), lanes.mayTake(three)]).toEqual([false, false])
      now = 100
      const alone = rowOf(2, null)
      expect(lanes.mayTake(alone)).toBe(true)
      lanes.take(alone)
      start(alone)
      await flush()
      expect(sent).toEqual([1, 2])
      expect([lanes.inHand, lanes.bytes, lanes.sending]).toEqual([0, 0, 0])
    },
  )
})

describe('several relays of one outbox', () => {
  it('send one at a time; another takes over at once after a stop, and after the lease when one died', async () => {
    const { clock, outbox, events, relay, log, close } = world()
    const [first, second] = [await relay({ leaseMs: 3_000 }), await relay({ leaseMs: 3_000 })]
    await clock.advance(1_000)
    expect([first.facts().state, second.facts().state].sort()).toEqual(['active', 'standby'])
    const [leads, waits] = first.facts().state === 'active' ? [first, second] : [second, first]
    await Promise.all([leads.stop(), clock.advance(2_000)])
    expect([leads.facts().state, waits.facts().state]).toEqual(['stopped', 'active'])
    outbox.add('a', 'a1')
    await clock.advance(1_000)
    expect(log()).toHaveLength(1)
    expect(events.filter(({ kind }) => kind === 'relay-leads')).toHaveLength(2)
    await close()
  })

  it('never both send while the database cannot be reached by the one that leads', async () => {
    const { clock, outbox, events, relay, log, close } = world()
    await relay({ leaseMs: 3_000, pollMs: 50 })
    for (let at = 0; at < 20; at += 1) outbox.add('a', `${at}`)
    await clock.advance(1_000)
    outbox.down = true
    outbox.add('a', '20')
    await clock.advance(60_000)
    expect(log()).toHaveLength(20)
    outbox.down = false
    await clock.advance(15_000)
    expect(valuesOf(log(), 'a')).toEqual(Array.from({ length: 21 }, (_, at) => `${at}`))
    const told = events.flatMap(({ kind }) => (/relay|outbox/.test(kind) ? [kind] : []))
    expect(told).toEqual(['relay-leads', 'relay-stands-by', 'outbox-unreachable', 'outbox-reached', 'relay-leads'])
    await close()
  })
})

describe('a stop', () => {
  it('ends what is being sent, puts it on record and gives the lease back', async () => {
    const { clock, outbox, relay, close } = world()
    outbox.latencyMs = 20
    const made = await relay()
    for (let at = 0; at < 100; at += 1) outbox.add(`k${at}`, `${at}`)
    await clock.advance(80)
    const stopped = made.stop()
    await Promise.all([stopped, clock.advance(5_000)])
    expect(made.facts()).toMatchObject({ state: 'stopped', inHand: 0 })
    expect(outbox.rows.size).toBe(100 - made.facts().sent)
    expect(outbox.lease).toBeNull()
    await close()
  })

  it('is bounded when Kafka takes nothing and all room is taken', async () => {
    const { clock, cluster, outbox, relay, close } = world()
    const made = await relay()
    const notEnoughReplicas = 19
    for (let at = 0; at < 1_000; at += 1) cluster.faults.failNext({ api: 'produce' }, notEnoughReplicas)
    const large = Buffer.alloc(1_000_000)
    for (let at = 0; at < 20; at += 1) outbox.add(`k${at}`, large)
    await clock.advance(1_000)
    expect(made.facts().inHand).toBe(7)
    const before = clock.now()
    let took = Infinity
    const stopped = made.stop({ timeoutMs: 500 }).then(() => (took = clock.now() - before))
    await clock.advance(40_000)
    await stopped
    expect(took).toBeLessThan(1_000)
    await close()
  })

  it.each([
    ['stands by', 0],
    ['sends', 300],
  ])('is bounded when the database does not answer while it %s', async (_, workedMs) => {
    const { clock, outbox, relay, close } = world()
    if (workedMs === 0) outbox.latencyMs = 1e9
    const made = await relay()
    await clock.advance(workedMs + 20)
    outbox.latencyMs = 1e9
    await clock.advance(1_000)
    const before = clock.now()
    let took = Infinity
    const stopped = made.stop({ timeoutMs: 500 }).then(() => (took = clock.now() - before))
    await clock.advance(60_000)
    await stopped
    expect(took).toBeLessThan(1_000)
    await close()
  })

  it('is bounded when the database is gone, and a second start is refused', async () => {
    const { clock, outbox, relay, close } = world()
    const made = await relay({ leaseMs: 1_000 })
    outbox.add('a', 'a1')
    await clock.advance(200)
    outbox.down = true
    await expect(made.start()).rejects.toThrow('relay that is active')
    await Promise.all([made.stop({ timeoutMs: 500 }), clock.advance(5_000)])
    expect(made.facts().state).toBe('stopped')
    await close()
  })
})

describe('the options of a relay', () => {
  it('that cannot work are refused all at once', async () => {
    const { relay, outbox, close } = world()
    const options = { pollMs: 0, leaseMs: 'x', topic: [], topics: ['t'] } as never
    await expect(relay(options)).rejects.toMatchObject({
      code: 'invalid-config',
      issues: [{ path: 'pollMs' }, { path: 'leaseMs' }, { path: 'topic' }, { path: 'topics' }],
    })
    const messaging = createMessaging({ driver: memory(), durability: 'off' })
    expect(() => messaging.relay({ ...outbox, lead: undefined } as never)).toThrow('sqlOutbox(db)')
    await messaging.close()
    await close()
  })
})
