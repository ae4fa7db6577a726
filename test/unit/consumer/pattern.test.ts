import { describe, expect, expectTypeOf, it } from 'vitest'
import { bytes, ConfigError, defineTopic, json, string, type Topic } from 'tidemark'
import { pattern } from 'tidemark/pattern'
import { z } from 'zod'
import { logged, open, put, simulated, until } from './simulated.js'

const orders = pattern(/orders\..+/, { value: string() })

describe('a pattern of topics', () => {
  const ways = [
    ['in a group', { group: 'g', groupProtocol: 'classic' }],
    ['in a group that its coordinator divides', { group: 'g', groupProtocol: 'consumer' }],
    ['without a group', { group: null }],
  ] as const
  for (const [how, way] of ways) {
    it(`is read ${how}: what matches at the start, and what is made later from its beginning, wherever it starts`, () =>
      simulated(async (simulation) => {
        const { cluster, clock } = simulation
        for (const name of ['orders.a', 'x.orders.a', 'orders', 'orders.a.dlt']) cluster.createTopic(name)
        put(cluster, ['old'], 'orders.a')
        const handled: string[] = []
        const messaging = open(simulation.process('one'))
        const consumer = messaging.consumer({
          ...way,
          topics: orders,
          from: 'latest',
          metadataMaxAgeMs: 5_000,
          deadLetter: { topic: 'orders.a.dlt' },
          handle: ({ topic, value }) => void handled.push(`${topic} ${value}`),
        })
        await consumer.start()
        expect(consumer.facts().topics).toEqual(['orders.a'])
        for (const name of ['orders.b', 'orders.b2x', 'other.orders.c']) cluster.createTopic(name)
        for (const name of ['orders.a', 'orders.b', 'orders.b2x', 'other.orders.c', 'orders'])
          put(cluster, ['new'], name)
        await until(simulation, () => handled.length === 3)
        await clock.sleep(10_000)
        expect([...handled].sort()).toEqual(['orders.a new', 'orders.b new', 'orders.b2x new'])
        await messaging.close()
      }))

    it(`lets go of topics that are deleted, and reads one of that name made anew, ${how}`, () =>
      simulated(async (simulation) => {
        const { cluster, clock } = simulation
        cluster.createTopic('orders.a')
        cluster.createTopic('orders.b')
        const handled: string[] = []
        const messaging = open(simulation.process('one'))
        const consumer = messaging.consumer({
          ...{ ...way, topics: orders, metadataMaxAgeMs: 5_000, onOutOfRange: 'earliest' },
          handle: ({ topic, value }) => void handled.push(`${topic} ${value}`),
        })
        await consumer.start()
        put(cluster, ['1'], 'orders.a')
        await until(simulation, () => handled.length === 1)
        cluster.deleteTopic('orders.a')
        await clock.sleep(60_000)
        expect(consumer.facts()).toMatchObject({ topics: ['orders.b'], unavailableTopics: [], state: 'running' })
        cluster.createTopic('orders.a')
        put(cluster, ['2'], 'orders.a')
        put(cluster, ['3'], 'orders.b')
        await until(simulation, () => handled.length === 3)
        expect([...handled].sort()).toEqual(['orders.a 1', 'orders.a 2', 'orders.b 3'])
        await messaging.close()
      }))
  }

  it('keeps what a broker that lags does not see', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.faults.lagMetadata(0)
      cluster.createTopic('orders.a')
      const revoked: string[] = []
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        ...{ group: null, topics: orders, metadataMaxAgeMs: 5_000 },
        onRevoked: (partitions) => void revoked.push(...partitions.map(({ topic }) => topic)),
        handle: () => undefined,
      })
      await consumer.start()
      await until(simulation, () => consumer.facts().topics.length === 1)
      await clock.sleep(120_000)
      expect(revoked).toEqual([])
      await messaging.close()
    }))

  it('is shared by the members of a group, and each new topic by all of them', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('orders.a', { partitions: 2 })
      const handled: string[] = []
      const members = await Promise.all(
        ['one', 'two'].map(async (name) => {
          const consumer = open(simulation.process(name)).consumer({
            ...{ group: 'g', topics: orders, metadataMaxAgeMs: 5_000 },
            handle: ({ topic, partition, value }) => void handled.push(`${topic}-${partition} ${value}`),
          })
          await consumer.start()
          return consumer
        }),
      )
      cluster.createTopic('orders.b', { partitions: 2 })
      await clock.sleep(60_000)
      for (const partition of [0, 1]) put(cluster, ['v'], 'orders.b', partition)
      await until(simulation, () => handled.length === 2)
      expect(members.map((member) => member.facts().partitions.length)).toEqual([2, 2])
      await Promise.all(members.map((member) => member.stop()))
    }))

  it('that is paused pauses topics that are found later too', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      const handled: string[] = []
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        ...{ group: null, topics: orders, metadataMaxAgeMs: 5_000 },
        handle: ({ topic }) => void handled.push(topic),
      })
      await consumer.start()
      consumer.pause()
      cluster.createTopic('orders.a')
      put(cluster, ['v'], 'orders.a')
      await clock.sleep(30_000)
      expect(handled).toEqual([])
      consumer.resume()
      await until(simulation, () => handled.length === 1)
      await messaging.close()
    }))

  it('may stand beside named topics, which count first, and types its messages', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      const named = defineTopic({ name: 'orders.raw', value: bytes() })
      cluster.createTopic('orders.raw')
      cluster.createTopic('orders.a')
      const handled: unknown[] = []
      const messaging = open(simulation.process('one'))
      const consumer = messaging.consumer({
        group: null,
        topics: [named, ...orders],
        handle: ({ value }) => {
          expectTypeOf(value).toEqualTypeOf<string | Buffer>()
          handled.push(value)
        },
      })
      await consumer.start()
      put(cluster, ['r'], 'orders.raw')
      put(cluster, ['a'], 'orders.a')
      await until(simulation, () => handled.length === 2)
      expect(handled).toEqual(expect.arrayContaining([Buffer.from('r'), 'a']))
      await messaging.close()
    }))

  it('matches whole names, however its expression is anchored or flagged', () => {
    const cases: readonly (readonly [RegExp, string, boolean])[] = [
      [/^orders/, 'orders.a', false],
      [/^orders/, 'orders', true],
      [/a|b/, 'ab', false],
      [/a|b/, 'b', true],
      [/ORDERS\..*/i, 'orders.x', true],
      [/orders\..*/gy, 'orders.x', true],
    ]
    for (const [expression, name, matches] of cases) {
      const [topic] = pattern(expression, { value: string() })
      for (let twice = 0; twice < 2; twice += 1)
        expect([expression, topic.pattern.test(name)]).toEqual([expression, matches])
    }
  })

  it('gives each topic its own definition: values and keys as given', () => {
    const Order = z.object({ id: z.string() })
    const [topic] = pattern(/orders\..+/, { value: json(Order), key: 'id' })
    expectTypeOf(topic).toExtend<Topic<{ id: string }>>()
    expect(topic.named('orders.a')).toMatchObject({ name: 'orders.a' })
    expect(topic.named('orders.a').keyOf({ id: 'k' })).toEqual(Buffer.from('k'))
  })

  it('says at the start which of its expressions matches no topic, for names match as a whole', () =>
    simulated(async (simulation) => {
      simulation.cluster.createTopic('orders.a')
      const { logger, loud } = logged()
      const messaging = open(simulation.process('one'), { logger })
      const topics = [...pattern(/^order/, { value: string() }), ...pattern(/orders.*/, { value: string() })]
      const consumer = messaging.consumer({ group: null, topics, handle: () => undefined })
      await consumer.start()
      expect(JSON.stringify(loud())).toContain('no topic matches a pattern')
      expect(JSON.stringify(loud())).toContain('(?:^order)')
      expect(JSON.stringify(loud())).not.toContain('(?:orders')
      await messaging.close()
    }))

  it('is met with what to write where it stands as something else: in a list of its own, bare, or as a topic to send to', () =>
    simulated(async (simulation) => {
      const messaging = open(simulation.process('one'))
      const reading = (topics: unknown) => () =>
        messaging.consumer({ group: 'g', topics: topics as typeof orders, handle: () => undefined })
      expect(reading([orders])).toThrow(/topics\.0: is a list of 1; write it with three dots before it/)
      expect(reading([/orders/])).toThrow(/topics\.0: is a regular expression; write \.\.\.pattern\(/)
      expect(reading(/orders/)).toThrow(/topics: is a regular expression; write a list .* or pattern\(…\)/)
      expect(reading('orders')).toThrow(/topics: is a string; write a list/)
      const producer = messaging.producer()
      await expect(producer.send(orders[0], 'x')).rejects.toThrow(/the pattern .* is not a topic to send to; .* named/)
      await expect(producer.send(orders as never, 'x')).rejects.toThrow(/a list is not a topic/)
      await messaging.close()
    }))

  it('is refused where it cannot be: with delay topics, to ensure, and what is no expression', async () => {
    await simulated(async (simulation) => {
      const messaging = open(simulation.process('one'))
      const options = { group: 'g', topics: orders, handle: () => undefined, retryLater: { delays: ['1m' as const] } }
      expect(() => messaging.consumer(options)).toThrow(/retryLater: .*nothing, with a pattern/s)
      await expect(messaging.ensureTopics(orders)).rejects.toThrow(ConfigError)
      await messaging.close()
    })
    expect(() => pattern('orders' as never, { value: string() })).toThrow(/write a regular expression/)
    expect(() => pattern(/a/, { value: 'x' as never })).toThrow(ConfigError)
  })
})
