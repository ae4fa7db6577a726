import { describe, expect, it } from 'vitest'
import { createMessaging, type Message } from 'tidemark'
import { boundedOutOfOrderness, tumblingWindows } from 'tidemark/event-time'
import { open, t, until } from '../consumer/simulated.js'
import { day, inOrder, inTimeOrder, lateOf, over, putTimes, upTo } from './reading.js'

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

  it.each([
    ['its end was read', {}, 300],
    ['it is silent', { timeoutMs: 1_000 }, 1_500],
  ])('because %s ends with what is fetched, though its own handler runs and it takes up nothing', (_, idle, afterMs) =>
    over([[700], [500]], async (simulation) => {
      const { cluster, clock } = simulation
      const one = await inOrder(simulation, 'one', {
        reorder: { watermark: boundedOutOfOrderness(100).withIdleness(idle) },
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
      await clock.sleep(afterMs)
      putTimes(cluster, 0, [10_000])
      await until(simulation, () => one.handled.length === more + 4)
      expect([one.values().slice(0, 3), lateOf(one)]).toEqual([['1@500', '1@650', '0@700'], []])
      expect(one.values()).toEqual(inTimeOrder(one.values()))
      await one.messaging.close()
    }),
  )

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
