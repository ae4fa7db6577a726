import { describe, expect, it } from 'vitest'
import { DeadLetter, defineTopic, string, type Message } from 'tidemark'
import { boundedOutOfOrderness, monotonousTimestamps } from 'tidemark/event-time'
import { redrive } from 'tidemark/redrive'
import type { AssignedPartition } from '../../../src/driver/consumer.js'
import { orderedBy } from '../../../src/reorder/sequencer.js'
import { ManualHandler, setUp } from '../consumer/consumer-setup.js'
import { record } from '../consumer/fake-driver.js'
import { open, t, until } from '../consumer/simulated.js'
import { day, inOrder, inTimeOrder, lateOf, over, putTimes, upTo } from './reading.js'

describe('records of the greatest time that was handed out', () => {
  it('are in time, also without a bound, when they come with the next answer of a broker', () =>
    over([[100, 100]], async (simulation) => {
      const watermark = monotonousTimestamps().withIdleness({ maxIdleMs: Infinity })
      const one = await inOrder(simulation, 'one', { reorder: { watermark } })
      await simulation.clock.sleep(1_000)
      putTimes(simulation.cluster, 0, [100, 200])
      await until(simulation, () => one.handled.length === 3)
      expect([one.values(), lateOf(one)]).toEqual([['0@100', '0@100', '0@100'], []])
      await one.messaging.close()
    }))
})

describe('a restart', () => {
  it('tells the watermark again although nothing new comes, so that windows kept in a store are closed', () =>
    over([[100, 900]], async (simulation) => {
      const told: [string, number][] = []
      const telling = (name: string) => ({
        onWatermark: (watermark: number) => void told.push([name, watermark - day]),
      })
      const one = await inOrder(simulation, 'one', { reorder: telling('one') })
      await until(simulation, () => told.some(([, watermark]) => watermark === 900))
      await simulation.clock.sleep(8_000)
      one.process.crash()
      const two = await inOrder(simulation, 'two', { reorder: telling('two') })
      await until(simulation, () => told.some(([name]) => name === 'two'))
      expect(told.filter(([name]) => name === 'two')).toEqual([['two', 900]])
      expect(two.values()).toEqual([])
      await two.messaging.close()
    }))
})

describe('records that made a detour', () => {
  const bounded = (ms: number) => ({ watermark: boundedOutOfOrderness(ms).withIdleness({ maxIdleMs: Infinity }) })

  it('by a dead-letter topic and a redrive stand where they happened, as long as that is within the bound', () =>
    over([[300, 2_000], [400]], async (simulation) => {
      simulation.cluster.createTopic('t.dlq', { partitions: 2 })
      const failing = open(simulation.process('failing'), { logger: 'silent' })
      const handle = ({ value }: Message<string>) => {
        if (value === '1@400') throw new DeadLetter('never')
      }
      await failing.consumer({ group: 'f', topics: [t], deadLetter: 't.dlq', handle }).start()
      await until(simulation, () => simulation.cluster.records('t.dlq', 1).length === 1)
      const one = await inOrder(simulation, 'one', { reorder: bounded(10_000) })
      await simulation.clock.sleep(2_000)
      await redrive(failing, { from: 't.dlq', allow: ['t'], group: 'r' })
      const [, back] = simulation.cluster.records('t', 1)
      expect(back?.timestamp).not.toBe(day + 400)
      putTimes(simulation.cluster, 0, [20_000])
      putTimes(simulation.cluster, 1, [20_000])
      await until(simulation, () => one.handled.length >= 4)
      expect([one.values(), lateOf(one)]).toEqual([['0@300', '1@400', '1@400', '0@2000'], []])
      expect(one.handled.map(({ order }) => order.timestamp - day)).toEqual([300, 400, 400, 2_000])
      await Promise.all([one.messaging.close(), failing.close()])
    }))

  it('by a redrive are late, and say so, when their time was handed out already', () =>
    over([[300, 90_000], []], async (simulation) => {
      simulation.cluster.createTopic('t.dlq', { partitions: 2 })
      const failing = open(simulation.process('failing'), { logger: 'silent' })
      const handle = ({ value }: Message<string>) => {
        if (value === '0@300') throw new DeadLetter('never')
      }
      await failing.consumer({ group: 'f', topics: [t], deadLetter: 't.dlq', handle }).start()
      const one = await inOrder(simulation, 'one')
      await until(simulation, () => one.handled.length === 2)
      await redrive(failing, { from: 't.dlq', allow: ['t'], group: 'r' })
      await until(simulation, () => one.handled.length === 3)
      expect([one.values()[2], lateOf(one), one.handled[2]?.order.timestamp]).toEqual(['0@300', ['0@300'], day + 300])
      await Promise.all([one.messaging.close(), failing.close()])
    }))

  it('by a delay topic stand where they happened, for whoever reads that topic in order', () =>
    over([[300, 2_000], [400]], async (simulation) => {
      const failing = open(simulation.process('failing'), { logger: 'silent' })
      const consumer = failing.consumer({
        group: 'f',
        topics: [t],
        retry: false,
        deadLetter: 't.dlq',
        retryLater: { delays: ['2s'], order: 'none' },
        handle: ({ value }) => {
          if (value === '1@400') throw new Error('not yet')
        },
      })
      simulation.cluster.createTopic('t.dlq', { partitions: 2 })
      await failing.ensureTopics(consumer.delayTopics)
      const [delayed] = consumer.delayTopics.map(({ name }) => defineTopic({ name, value: string() }))
      await consumer.start()
      await until(simulation, () => simulation.cluster.records(delayed!.name, 1).length === 1)
      const one = await inOrder(simulation, 'one', { topics: [t, delayed], reorder: bounded(1_000) })
      for (const partition of [0, 1]) putTimes(simulation.cluster, partition, [20_000])
      await simulation.clock.sleep(1_000)
      // The delay topic holds the watermark until it is told idle, or goes on.
      expect(one.consumer.facts().order?.clamped).toBe(0)
      const two = await inOrder(simulation, 'two', {
        group: 'other',
        topics: [t, delayed],
        reorder: { watermark: boundedOutOfOrderness(1_000) },
      })
      await until(simulation, () => two.handled.length === 6)
      expect(two.handled.map(({ value, order }) => [value, order.timestamp - day])).toEqual([
        ['0@300', 300],
        ['1@400', 400],
        ['1@400', 400],
        ['0@2000', 2_000],
        ['0@20000', 20_000],
        ['1@20000', 20_000],
      ])
      expect(lateOf(two)).toEqual([])
      await Promise.all([one.messaging.close(), two.messaging.close(), failing.close()])
    }))
})

describe('clocks', () => {
  it.each([-3_600_000, 3_600_000])('a wall clock that is set by %i ms loses nothing and makes nothing late', (byMs) =>
    over([[], []], async (simulation) => {
      const { cluster, clock } = simulation
      const one = await inOrder(simulation, 'one')
      for (let round = 0; round < 12; round += 1) {
        if (round === 4) clock.shiftWallTime(byMs)
        // Their writers' clocks are right.
        const now = clock.wallTime() - day - (round >= 4 ? byMs : 0)
        putTimes(cluster, round % 2, [now, now + 3])
        await clock.sleep(400)
      }
      clock.shiftWallTime(-byMs)
      await until(simulation, () => one.handled.length === 24)
      expect([new Set(one.values()).size, lateOf(one)]).toEqual([24, []])
      await one.messaging.close()
    }),
  )

  it('a wall clock that believes no record is named when the watermark stands', () =>
    over([[]], async (simulation) => {
      const { cluster, clock } = simulation
      const one = await inOrder(simulation, 'one')
      for (let round = 0; round < 80; round += 1) {
        putTimes(cluster, 0, [clock.wallTime() - day + 3_600_000])
        await clock.sleep(500)
      }
      const held = one.lines.find(({ fields }) => fields['event'] === 'watermark-held')
      expect(held?.message).toMatch(/times of some records are not believed and move no watermark, at the clock/)
      expect(held?.fields['clamped']).toBeGreaterThan(50)
      await one.messaging.close()
    }))

  it('times of a writer that go back an hour are late for an hour, and all of them are handled', () =>
    over([[]], async (simulation) => {
      const hour = 3_600_000
      putTimes(simulation.cluster, 0, upTo(60, 60_000))
      const watermark = boundedOutOfOrderness(1_000).withFutureGuard(false)
      const one = await inOrder(simulation, 'one', { reorder: { watermark } })
      await until(simulation, () => one.handled.length === 60)
      putTimes(simulation.cluster, 0, upTo(60, 60_000, 1))
      await until(simulation, () => one.handled.length === 120)
      putTimes(simulation.cluster, 0, [hour, hour + 60_000])
      await until(simulation, () => one.handled.length === 122)
      const inTime = one.handled.filter(({ order }) => order.late === null).map(({ value }) => value)
      expect(inTime).toEqual(inTimeOrder(inTime))
      expect([one.handled.length, lateOf(one).length]).toEqual([122, 59])
      await one.messaging.close()
    }))
})

describe('a partition that the user holds', () => {
  it('paused while all wait for it makes nothing late: what is behind its time waits until it is resumed', () =>
    over([upTo(10, 100), upTo(10, 100, 50)], async (simulation) => {
      const one = await inOrder(simulation, 'one')
      one.consumer.pause([{ topic: 't', partition: 1 }])
      await simulation.clock.sleep(1_000)
      putTimes(simulation.cluster, 0, upTo(10, 100, 1_000))
      putTimes(simulation.cluster, 1, upTo(10, 100, 1_050))
      await simulation.clock.sleep(10_000)
      expect(one.values()).toEqual(inTimeOrder(one.values()))
      expect(one.values().every((value) => Number(value.split('@')[1]) < 950)).toBe(true)
      expect(one.consumer.facts().order?.heldBy).toEqual({ topic: 't', partition: 1 })
      one.consumer.resume([{ topic: 't', partition: 1 }])
      await until(simulation, () => one.handled.length === 40)
      expect([one.values(), lateOf(one)]).toEqual([inTimeOrder(one.values()), []])
      await one.messaging.close()
    }))

  it('sought in the middle of a run, and while it is paused for its lead, is read from there, each record once', () =>
    over([upTo(30, 100), upTo(5, 100, 50)], async (simulation) => {
      const { clock } = simulation
      const values: string[] = []
      const watermark = boundedOutOfOrderness(100)
        .withIdleness({ maxIdleMs: Infinity })
        .withWatermarkAlignment({ maxDriftMs: 500 })
      const one = await inOrder(simulation, 'one', {
        reorder: { watermark },
        handle: async ({ value }: Message<string>) => {
          await clock.sleep(20)
          values.push(value)
        },
      })
      await until(simulation, () => values.length === 3)
      expect(one.consumer.facts().partitions[0]?.pausedBy).toEqual(['reorder'])
      await one.consumer.seek('t', 0, 20)
      putTimes(simulation.cluster, 1, upTo(40, 100, 550))
      await until(simulation, () => values.includes('0@2700'))
      await clock.sleep(2_000)
      const afterwards = values.filter((value) => value.startsWith('0@')).slice(-8)
      expect(afterwards).toEqual(upTo(8, 100, 2_000).map((time) => `0@${time}`))
      expect(new Set(values).size).toBe(values.length)
      expect(one.consumer.facts().order?.late).toBe(0)
      await one.messaging.close()
    }))
})

describe('a topic that is made anew while all wait for it', () => {
  it('is read from its new beginning, and the others go on', () =>
    over([[100]], async (simulation) => {
      const { cluster, clock } = simulation
      const stored = (time: number) => ({
        key: null,
        value: Buffer.from(`u@${time}`),
        headers: [],
        timestamp: day + time,
      })
      cluster.createTopic('u', { partitions: 1 })
      cluster.appendTransaction('u', 0, [stored(300)], 'commit')
      const one = await inOrder(simulation, 'one', {
        onOutOfRange: 'earliest',
        topics: ['t', 'u'].map((name) => defineTopic({ name, value: string() })),
        reorder: { watermark: boundedOutOfOrderness(100).withIdleness({ maxIdleMs: 60_000 }) },
      })
      await clock.sleep(2_000)
      cluster.deleteTopic('u')
      cluster.createTopic('u', { partitions: 1 })
      cluster.appendTransaction('u', 0, [stored(400), stored(9_000)], 'commit')
      putTimes(cluster, 0, [5_000, 6_000])
      await until(simulation, () => one.values().includes('u@400'))
      expect(one.values()).toEqual(expect.arrayContaining(['0@100', 'u@400', '0@5000']))
      expect(lateOf(one)).toEqual([])
      await one.messaging.close()
    }))
})

describe('a record that pins too many that are behind it', () => {
  it('goes before its time also when its partition has come to be the slowest later: nothing stands still', () =>
    over([[], [1_200]], async (simulation) => {
      putTimes(simulation.cluster, 0, [1_000, ...Array.from({ length: 1_008 }, () => 500), 1_500])
      const one = await inOrder(simulation, 'one', {
        reorder: {
          watermark: boundedOutOfOrderness(1_000).withIdleness({ maxIdleMs: Infinity }),
          buffer: { maxUncommittedSpan: 1_000 },
        },
      })
      await simulation.clock.sleep(2_000)
      // It waits, and its partition is not the one that all wait for.
      expect(one.consumer.facts().partitions.map(({ pausedBy }) => pausedBy)).toEqual([['reorder'], []])
      expect(one.handled).toEqual([])
      putTimes(simulation.cluster, 1, [3_000])
      putTimes(simulation.cluster, 0, [3_100, 5_000])
      await until(simulation, () => one.handled.length === 1_011)
      expect(one.handled).toHaveLength(1_011)
      expect(one.handled.some(({ order }) => order.forced)).toBe(true)
      expect(one.consumer.facts().partitions[0]?.pausedBy).toEqual([])
      await one.messaging.close()
    }))
})

describe('a partition that is given up while its handler still runs', () => {
  it.each<[how: string, gone: (world: ReturnType<typeof setUp>, assigned: AssignedPartition) => Promise<unknown>]>([
    ['it was lost', ({ driver }, assigned) => Promise.resolve(driver.lose(assigned))],
    ['its drain was over', ({ clock, driver }, assigned) => clock.runUntil(driver.revoke(assigned, 1_000))],
  ])('lets the others go on when that has ended: %s', async (_, gone) => {
    const handler = new ManualHandler()
    const ordering = orderedBy({
      watermark: boundedOutOfOrderness(0).withFutureGuard(false).withIdleness({ maxIdleMs: Infinity }),
      order: 'combined',
      lateness: 'combined',
      late: { policy: 'deliver' },
      buffer: {
        ...{ maxRecords: 1_000, maxBytes: 1e9, maxRecordsPerPartition: 1_000, maxUncommittedSpan: 1_000 },
        whenFull: 'emit-early',
      },
      onShutdown: 'discard',
    })
    const world = setUp({ handle: handler.handle, drainMs: 1_000 }, { ordering })
    const { clock, driver, consumer } = world
    await clock.runUntil(consumer.start())
    const at = (offset: number, timestamp: number) => ({ ...record(offset), timestamp })
    const [one, other] = [await driver.assign('t', 0), await driver.assign('t', 1)]
    driver.deliver(one, [at(0, 100), at(1, 300)])
    driver.deliver(other, [at(10, 200), at(11, 400)])
    await clock.advance(100)
    expect(handler.offsets()).toEqual([0])
    await gone(world, one)
    driver.deliver(other, [at(12, 500)])
    await clock.advance(1_000)
    expect(handler.signals.get(0)?.aborted).toBe(true)
    expect(handler.offsets('t', 1)).toEqual([])
    handler.end(0)
    await clock.advance(100)
    expect(handler.offsets('t', 1)).toEqual([10])
    handler.end(10, 't', 1)
    handler.end(11, 't', 1)
    await clock.runUntil(consumer.stop())
    await clock.advance(0)
    expect(clock.pendingTimers).toBe(0)
  })
})
