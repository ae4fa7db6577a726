import { createMessaging, defineTopic, RetryLater, string } from 'tidemark'
import { memoryDedupe } from 'tidemark/dedupe'
import { memory } from 'tidemark/memory'
import { describe, expect, it } from 'vitest'
import { messageHeaders } from '../../../src/message/headers.js'
import { simulated } from '../consumer/simulated.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { consuming, late, soon, t, until, valuesOf } from './retrying.js'

describe('a record that failed in place', () => {
  it('is handled again after each delay and not before, while its partition goes on, then becomes a dead letter', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      const process = simulation.process('one')
      const { messaging, seen, send } = await consuming(simulation, process, (value) => value === 'a-1')
      await send('a-1', 'a-2', 'b-1')
      await until(simulation, () => cluster.records('t.dlq', 0).length === 1)
      expect(valuesOf(seen)).toEqual(['a-1', 'a-2', 'b-1', 'a-1', 'a-1'])
      const tries = seen.filter(({ value }) => value === 'a-1')
      expect(tries.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
      const [first, second, third] = tries.map(({ at }) => at) as [number, number, number]
      expect(second - first).toBeGreaterThanOrEqual(2_000)
      expect(second - first).toBeLessThan(2_500)
      expect(third - second).toBeGreaterThanOrEqual(10_000)
      expect(third - second).toBeLessThan(10_500)
      await messaging.close()
    }))

  it('is seen each time as it came first, and its letter names where that was', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      const process = simulation.process('one')
      const { messaging, seen, send } = await consuming(simulation, process, (value) => value === 'a-1')
      await send('b-0', 'a-1')
      await until(simulation, () => cluster.records('t.dlq', 0).length === 1)
      const places = new Set(seen.filter(({ value }) => value === 'a-1').map(({ place }) => place))
      expect([...places]).toEqual(['t-0@1'])
      const [letter] = cluster.records('t.dlq', 0)
      const header = (name: string) => messageHeaders(letter?.headers ?? []).get(name)
      expect([header('td-origin-topic'), header('td-origin-partition'), header('td-origin-offset')]).toEqual([
        't',
        '0',
        '1',
      ])
      expect([header('td-attempt'), header('td-not-before'), header('td-retry-offset')]).toEqual([
        '3',
        undefined,
        undefined,
      ])
      await messaging.close()
    }))

  it('is itself, whatever of another record was handed on with it: it has its own time, attempts and place, and is no repeat of its like', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      const fails = () => true
      const options = { dedupe: memoryDedupe() }
      const { messaging, seen } = await consuming(simulation, simulation.process('one'), fails, options)
      const headers = {
        'td-origin-topic': 'orders',
        'td-origin-partition': '3',
        'td-origin-offset': '77',
        'td-origin-timestamp': '2026-01-01T00:00:00.000Z',
        'td-not-before': '2026-01-01T00:00:00.000Z',
        'td-retry-offset': '99',
        'td-attempt': '3',
      }
      for (let copy = 0; copy < 2; copy += 1) await messaging.producer({ lingerMs: 0 }).send(t, 'a-1', { headers })
      await until(simulation, () => cluster.records('t.dlq', 0).length === 2)
      const tries = [1, 2, 3].flatMap((attempt) => [`t-0@0 ${attempt}`, `t-0@1 ${attempt}`])
      expect(seen.map(({ place, attempt }) => `${place} ${attempt}`)).toEqual(tries)
      const [stored] = cluster.records('t', 0)
      expect(new Set(seen.map(({ timestamp }) => timestamp)).has(stored?.timestamp ?? 0)).toBe(true)
      expect(Math.min(...seen.map(({ timestamp }) => timestamp))).toBe(stored?.timestamp)
      const [letter] = cluster.records('t.dlq', 0)
      const header = (name: string) => messageHeaders(letter?.headers ?? []).get(name)
      expect([header('td-origin-topic'), header('td-origin-offset')]).toEqual(['t', '0'])
      await messaging.close()
    }))

  it('waits on the topics that its consumer names, of as many partitions as its own', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t', { partitions: 3 })
      const process = simulation.process('one')
      const { messaging, consumer } = await consuming(simulation, process, () => false)
      expect(consumer.delayTopics.map(({ name }) => name)).toEqual([soon, late])
      expect([soon, late].map((name) => cluster.partitionCount(name))).toEqual([3, 3])
      expect(consumer.assignment().length).toBe(9)
      await messaging.close()
    }))

  it('waits on through a stop and a start, without another attempt before its time', () =>
    simulated(async (simulation) => {
      const { clock } = simulation
      const process = simulation.process('one')
      const first = await consuming(simulation, process, (value, attempt) => value === 'a-1' && attempt === 1)
      await first.send('a-1')
      await until(simulation, () => first.seen.length === 1)
      await clock.sleep(700)
      await first.messaging.close()
      const second = await consuming(simulation, simulation.process('two'), () => false)
      await clock.sleep(700)
      expect(second.seen).toEqual([])
      await until(simulation, () => second.seen.length === 1)
      expect(second.seen).toMatchObject([{ value: 'a-1', attempt: 2 }])
      await second.messaging.close()
    }))

  it('costs no questions while it waits', () =>
    simulated(async (simulation) => {
      const { clock } = simulation
      const process = simulation.process('one')
      const { messaging, seen, send } = await consuming(simulation, process, (_, attempt) => attempt < 3)
      await send('a-1')
      await until(simulation, () => seen.length === 2)
      const timers: number[] = []
      for (let second = 0; second < 8; second += 1) {
        await clock.sleep(1_000)
        timers.push(process.pendingTimers)
      }
      expect(Math.max(...timers)).toBeLessThan(30)
      await messaging.close()
    }))

  it('goes to the delay that its handler asks for, and comes back then', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      const process = simulation.process('one')
      const fails = (_: string, attempt: number) => (attempt === 1 ? new RetryLater(5_000) : false)
      const { messaging, seen, send } = await consuming(simulation, process, fails)
      await send('a-1')
      await until(simulation, () => seen.length === 2)
      expect([soon, late].map((name) => cluster.records(name, 0).length)).toEqual([0, 1])
      expect((seen[1]?.at ?? 0) - (seen[0]?.at ?? 0)).toBeGreaterThanOrEqual(5_000)
      expect((seen[1]?.at ?? 0) - (seen[0]?.at ?? 0)).toBeLessThan(5_500)
      await messaging.close()
    }))

  it.each([
    ['on delay topics', { delays: ['2s', '10s'], order: 'none' }],
    ['in its place', undefined],
  ] as const)('spins nothing where its handler asks for no wait at all, %s', (_, retryLater) =>
    simulated(async (simulation) => {
      const fails = () => new RetryLater(0)
      const { messaging, seen, send } = await consuming(simulation, simulation.process('one'), fails, { retryLater })
      await send('a-1')
      await until(simulation, () => seen.length >= 3)
      expect(seen[2]?.at ?? Infinity).toBeLessThan(3_000)
      await simulation.clock.sleep(10_000)
      expect(seen.length).toBeGreaterThan(20)
      expect(seen.length).toBeLessThan(120)
      await messaging.close()
    }),
  )

  it('is told of at the start when it is left on the topic of a delay that the option does not name any more', () =>
    simulated(async (simulation) => {
      const { clock } = simulation
      const first = await consuming(simulation, simulation.process('one'), (_, attempt) => attempt === 1)
      await first.send('a-1')
      await until(simulation, () => first.seen.length === 1)
      await clock.sleep(500)
      await first.messaging.close()
      const told = async (name: string) => {
        const lines: object[] = []
        const logger = { ...silentLogger, warn: (fields: object) => void lines.push(fields) }
        const options = { retryLater: { delays: ['10s'], order: 'none' }, logger } as const
        const { messaging } = await consuming(simulation, simulation.process(name), () => false, options)
        await messaging.close()
        return lines.filter((line) => 'left' in line)
      }
      expect(await told('two')).toMatchObject([{ topic: soon, left: 1 }])
      const third = await consuming(simulation, simulation.process('three'), () => false)
      await until(simulation, () => third.seen.length === 1)
      await third.messaging.close()
      expect(await told('four')).toEqual([])
    }))

  it('is told of at the start when it is left on a delay topic and the option was taken out', () =>
    simulated(async (simulation) => {
      const { clock } = simulation
      const ways = [undefined, 'own'].map((name) => ({ delays: ['10s'], order: 'none', name }) as const)
      for (const retryLater of ways) {
        const process = simulation.process(retryLater.name ?? 'g')
        const first = await consuming(simulation, process, (value, attempt) => value !== 'ok' && attempt === 1, {
          retryLater,
        })
        if (retryLater.name !== undefined) {
          await first.send('b-0')
          await until(simulation, () => first.seen.length >= 2)
        }
        await first.send('a-1')
        await until(simulation, () => first.seen.some(({ value }) => value === 'a-1'))
        await clock.sleep(500)
        await first.messaging.close()
      }
      const told = async (name: string, options: object) => {
        const lines: object[] = []
        const logger = { ...silentLogger, warn: (fields: object) => void lines.push(fields) }
        const process = simulation.process(name)
        const all = { durability: 'warn', logger, ...options } as const
        const { messaging } = await consuming(simulation, process, () => false, all)
        await clock.sleep(2_000)
        await messaging.close()
        return lines.filter((line) => 'left' in line)
      }
      expect(await told('without', { retryLater: undefined })).toMatchObject([
        { topic: 't.retry.g.10s', left: 1 },
        { topic: 't.retry.own.10s', left: 1 },
      ])
      expect(await told('of another group', { retryLater: undefined, group: 'h' })).toEqual([])
      expect(await told('silenced', { retryLater: undefined, durability: 'off' })).toEqual([])
    }))

  it('is refused before it can fail, where a delay topic is missing, too narrow or does not keep it', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t', { partitions: 2 })
      const messaging = createMessaging({
        driver: simulation.process('one').driver,
        durability: 'off',
        logger: 'silent',
      })
      const retryLater = { delays: ['2s', '10s'], order: 'none' } as const
      const consumer = messaging.consumer({ group: 'g', topics: [t], retryLater, handle: () => undefined })
      const told = async () =>
        String(
          await consumer.start().then(
            () => 'started',
            (error: unknown) => error,
          ),
        )
      expect(await told()).toMatch(/t\.retry\.g\.2s.*does not exist/)
      cluster.createTopic(soon)
      cluster.createTopic(late, { partitions: 2, configs: { 'retention.ms': '5000' } })
      expect(await told()).toMatch(/has 1 partitions, and t has 2/)
      cluster.addPartitions(soon, 2)
      expect(await told()).toMatch(/keeps records for 5000 ms, and they wait 10000 ms/)
      await messaging.close()
    }))
})

describe('the option', () => {
  const make = (options: object) => () =>
    createMessaging({ driver: memory(), logger: 'silent' }).consumer({
      group: 'g',
      topics: [t],
      handle: () => undefined,
      ...options,
    })

  it.each([
    ['a delay that is no time', { retryLater: { delays: ['soon'] } }, /retryLater\.delays/],
    ['delays that do not rise', { retryLater: { delays: ['10m', 60_000] } }, /longer than 10m/],
    ['no group', { group: null, retryLater: { delays: ['1m'] } }, /a group/],
    ['a group that no topic can be named after', { group: 'the billing', retryLater: { delays: ['1m'] } }, /name/],
    [
      'keys in order with batches',
      { handle: undefined, handleBatch: () => undefined, retryLater: { delays: ['1m'] } },
      /'none'/,
    ],
    ['a group that could be part of a topic', { group: 'a.retry.b', retryLater: { delays: ['1m'] } }, /"retry\."/],
    ['keys in order where nothing is', { order: 'none', retryLater: { delays: ['1m'] } }, /'none'/],
  ])('refuses %s', (_, options, told) => {
    expect(make(options)).toThrow(told)
  })

  it('names topics that no other topic and group have', () => {
    const [one, other] = [
      ['t', 'x.y'],
      ['t.x', 'y'],
    ].map(([name = '', group]) =>
      make({
        group,
        topics: [defineTopic({ name, value: string() })],
        retryLater: { delays: ['1m'] },
      })().delayTopics.map((topic) => topic.name),
    )
    expect([one, other]).toEqual([['t.retry.x.y.1m'], ['t.x.retry.y.1m']])
  })

  it('names its topics after the group, or as it is told, and after the delay in its largest unit', () => {
    const named = (options: object) => make(options)().delayTopics.map(({ name }) => name)
    expect(named({ retryLater: { delays: [1_500, '90s', '120m', '1d'] } })).toEqual(
      ['1500ms', '90s', '2h', '1d'].map((delay) => `t.retry.g.${delay}`),
    )
    expect(named({ group: 'the billing', retryLater: { delays: ['1m'], name: 'billing' } })).toEqual([
      't.retry.billing.1m',
    ])
  })
})
