import { describe, expect, it } from 'vitest'
import { createMessaging, DeadLetter, defineTopic, string, type Message } from 'tidemark'
import { boundedOutOfOrderness, monotonousTimestamps, tumblingWindows } from 'tidemark/event-time'
import { redrive } from 'tidemark/redrive'
import type { Simulation } from 'tidemark/testing'
import { open, simulated, t, until } from '../consumer/simulated.js'
import { day, inOrder, inTimeOrder, putTimes } from './reading.js'

/** A simulation with topic `t` of so many partitions, and these times in them. */
const over = (
  partitions: readonly (readonly number[])[],
  scenario: (simulation: Simulation) => Promise<void>,
): Promise<void> =>
  simulated(async (simulation) => {
    simulation.cluster.createTopic('t', { partitions: partitions.length })
    for (const [partition, times] of partitions.entries()) {
      if (times.length > 0) putTimes(simulation.cluster, partition, times)
    }
    await scenario(simulation)
  })

const lateOf = ({ handled }: Awaited<ReturnType<typeof inOrder>>) =>
  handled.filter(({ order }) => order.late !== null).map(({ value }) => value)

const upTo = (count: number, everyMs: number, from = 0) =>
  Array.from({ length: count }, (_, index) => from + index * everyMs)

describe('idleness', () => {
  it('makes nothing late that waits while a handler takes longer than the idle time', () =>
    over([upTo(8, 1_000), upTo(8, 1_000, 500)], async (simulation) => {
      const one = await inOrder(simulation, 'one', {
        reorder: { watermark: boundedOutOfOrderness(100).withIdleness({ maxIdleMs: 500, timeoutMs: 1_000 }) },
        highMark: { records: 2 },
        handle: async ({ value }: Message<string>, { order }: { order: object | null }) => {
          await simulation.clock.sleep(2_000)
          one.handled.push({ value, order: order as never })
        },
      })
      await until(simulation, () => one.handled.length === 16)
      expect(one.values()).toEqual(inTimeOrder(one.values()))
      expect([one.handled.length, lateOf(one)]).toEqual([16, []])
      await one.messaging.close()
    }))

  it('is of no partition that has been sent something meanwhile, though it waits to be taken up', async () => {
    const late: number[] = []
    // When it is looked at does not depend on this test: one of these is in the moment between.
    for (let afterMs = 1_060; afterMs <= 1_220; afterMs += 40) {
      await over([[], []], async (simulation) => {
        const { clock } = simulation
        const writer = open(simulation.process('writer'))
        const producer = writer.producer({ lingerMs: 0 })
        const put = (partition: number, time: number) =>
          producer.send(t, `${partition}@${time}`, { partition, timestamp: day + time })
        const one = await inOrder(simulation, 'one')
        await Promise.all([put(0, 90), put(1, 500)])
        // The slowest has something all the time, so that all are looked at every 100 ms.
        for (let waitedMs = 0; waitedMs < afterMs; waitedMs += 20) {
          if (waitedMs % 100 === 0) void put(0, 100 + waitedMs / 100)
          await clock.sleep(20)
        }
        void put(1, 510)
        await clock.sleep(15)
        await put(0, 10_000)
        await until(simulation, () => one.values().includes('0@10000') && one.values().includes('1@510'))
        if (lateOf(one).length > 0) late.push(afterMs)
        await Promise.all([one.messaging.close(), writer.close()])
      })
    }
    expect(late).toEqual([])
  })

  it('ends with what is fetched, though the partition cannot take it up while its own handler runs', () =>
    over([[700], [500]], async (simulation) => {
      const { cluster, clock } = simulation
      const one = await inOrder(simulation, 'one', {
        handle: async ({ value }: Message<string>, { order }: { order: object | null }) => {
          one.handled.push({ value, order: order as never })
          await clock.sleep(3_000)
        },
      })
      // The other is never idle, so this one is when its record is handed out.
      let more = 0
      for (; one.handled.length === 0 && more < 40; more += 1) {
        putTimes(cluster, 0, [701 + more])
        await clock.sleep(200)
      }
      expect(one.values()).toEqual(['1@500'])
      expect(one.consumer.facts().order?.watermark).toBeLessThan(day + 650)
      putTimes(cluster, 1, [650])
      await clock.sleep(300)
      putTimes(cluster, 0, [10_000])
      await until(simulation, () => one.handled.length === more + 4)
      expect([one.values().slice(0, 3), lateOf(one)]).toEqual([['1@500', '1@650', '0@700'], []])
      expect(one.values()).toEqual(inTimeOrder(one.values()))
      await one.messaging.close()
    }))

  it('goes together with alignment: an idle partition that was paused is read again when it has something', () =>
    over([upTo(40, 100), []], async (simulation) => {
      const watermark = boundedOutOfOrderness(100)
        .withIdleness({ maxIdleMs: 500 })
        .withWatermarkAlignment({ maxDriftMs: 300 })
      const one = await inOrder(simulation, 'one', { reorder: { watermark } })
      await until(simulation, () => one.handled.length === 40)
      for (const from of [4_000, 8_000, 12_000]) {
        putTimes(simulation.cluster, 1, upTo(20, 100, from))
        await simulation.clock.sleep(300)
        putTimes(simulation.cluster, 0, upTo(20, 100, from))
        await simulation.clock.sleep(3_000)
      }
      await until(simulation, () => one.handled.length === 160)
      expect(one.handled).toHaveLength(160)
      await one.messaging.close()
    }))

  it('waits for an open transaction: what it makes visible is in time', () =>
    over([[100, 5_000], []], async (simulation) => {
      const writer = createMessaging({
        driver: simulation.process('writer').driver,
        profile: 'transactional',
        logger: 'silent',
      })
      let isOpen = false
      const writing = writer.transaction(
        'w',
        async (transaction) => {
          await transaction.send(t, '1@300', { partition: 1, timestamp: day + 300 })
          isOpen = true
          await simulation.clock.sleep(20_000)
          isOpen = false
        },
        { timeoutMs: 60_000 },
      )
      await until(simulation, () => isOpen)
      const one = await inOrder(simulation, 'one', { isolation: 'read-committed' })
      await simulation.clock.sleep(3_000)
      expect([isOpen, one.values()]).toEqual([true, []])
      await writing
      await until(simulation, () => one.handled.length === 3)
      expect([one.values(), lateOf(one)]).toEqual([['0@100', '1@300', '0@5000'], []])
      await Promise.all([one.messaging.close(), writer.close()])
    }))

  it('leaves the last window open, since time goes on by records alone: a later record closes it', () =>
    over([[1_000, 2_000], []], async (simulation) => {
      const counts = tumblingWindows({ sizeMs: 10_000, empty: () => 0, add: (sum, _: string) => sum + 1 })
      const closed: number[][] = []
      const one = await inOrder(simulation, 'one', {
        reorder: {
          onWatermark: (watermark: number) => {
            for (const { from, sum } of counts.advance(watermark)) closed.push([from - day, sum])
          },
        },
        handle: ({ value }: Message<string>, { order }: { order: { timestamp: number } | null }) =>
          void counts.add(order!.timestamp, value),
      })
      await simulation.clock.sleep(5_000)
      expect([closed, counts.open]).toEqual([[], 1])
      putTimes(simulation.cluster, 1, [60_000])
      await until(simulation, () => closed.length === 1)
      expect(closed).toEqual([[0, 2]])
      await one.messaging.close()
    }))
})

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
