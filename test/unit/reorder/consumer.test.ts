import { describe, expect, it } from 'vitest'
import { DeadLetter, defineTopic, json, string, type HandlerContext, type Message } from 'tidemark'
import { memoryDedupe } from 'tidemark/dedupe'
import { boundedOutOfOrderness, watermarksBy, type EventOrder } from 'tidemark/event-time'
import type { Simulation } from 'tidemark/testing'
import { textHeader } from '../../../src/message/headers.js'
import { deferred } from '../../../src/runtime/deferred.js'
import { open, simulated, t, until } from '../consumer/simulated.js'
import { day, inOrder, inTimeOrder, putTimes } from './reading.js'

const never = { watermark: boundedOutOfOrderness(100).withIdleness({ maxIdleMs: Infinity }) }

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

describe('a consumer with reorder', () => {
  it('handles the records of all partitions in the order of their time, the last ones too', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t', { partitions: 3 })
      putTimes(cluster, 0, [500, 460, 900, 850])
      putTimes(cluster, 1, [10, 20, 1_000])
      const one = await inOrder(simulation, 'one')
      await until(simulation, () => one.handled.length === 7)
      expect(one.values()).toEqual(['1@10', '1@20', '0@460', '0@500', '0@850', '0@900', '1@1000'])
      expect(one.handled.map(({ order }) => order.timestamp - day)).toEqual([10, 20, 460, 500, 850, 900, 1_000])
      expect(one.handled.every(({ order }) => order.late === null)).toBe(true)
      await one.messaging.close()
    }))

  it('hands out again what was kept back when it died, and nothing twice that a commit told', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { partitions: 2 })
      putTimes(cluster, 0, [300, 100, 200, 500, 450])
      putTimes(cluster, 1, [310, 400, 390])
      const one = await inOrder(simulation, 'one', { reorder: never })
      await until(simulation, () => one.handled.length === 2)
      await clock.sleep(2_000)
      expect(one.values()).toEqual(['0@100', '0@200'])
      one.process.crash()
      const two = await inOrder(simulation, 'two')
      await until(simulation, () => two.handled.length === 6)
      expect(two.values()).toEqual(['0@300', '1@310', '1@390', '1@400', '0@450', '0@500'])
      expect(two.handled.every(({ order }) => order.late === null)).toBe(true)
      await two.messaging.close()
    }))

  it('shares an order of many records, in batches too', () =>
    simulated(async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t', { partitions: 4 })
      for (let partition = 0; partition < 4; partition += 1) {
        const times = Array.from({ length: 80 }, (_, index) => index * 20 + ((index * 37 + partition * 13) % 90))
        putTimes(cluster, partition, times)
      }
      const values: string[] = []
      const one = await inOrder(simulation, 'one', {
        handleBatch: (messages: readonly Message<string>[]) => void values.push(...messages.map(({ value }) => value)),
      })
      await until(simulation, () => values.length === 320)
      expect(values).toEqual(inTimeOrder(values))
      await one.messaging.close()
    }))
})

describe('a consumer with an order for each partition', () => {
  const partitions = [0, 1, 2, 3]
  const times = (partition: number) =>
    Array.from({ length: 600 }, (_, index) => index * 20 + ((index * 37 + partition * 13) % 90))

  /** The batches of all, and what stands in the commits. */
  const batchesOf = async (order: 'combined' | 'partition') => {
    const batches: string[][] = []
    const told: number[] = []
    await over(partitions.map(times), async (simulation) => {
      const one = await inOrder(simulation, 'one', {
        reorder: {
          watermark: boundedOutOfOrderness(100),
          order,
          onWatermark: (watermark: number) => {
            const newest = batches.flat().map((value) => Number(value.split('@')[1]))
            expect(Math.max(...newest.map((time) => time + day))).toBeLessThanOrEqual(watermark)
            told.push(watermark)
          },
        },
        handleBatch: (messages: readonly Message<string>[]) => void batches.push(messages.map(({ value }) => value)),
      })
      await until(simulation, () => batches.flat().length === 2_400)
      await simulation.clock.sleep(10_000)
      // With the marker of the transaction that put them there.
      expect(simulation.cluster.committed('g').map(({ offset }) => offset)).toEqual(partitions.map(() => 601))
      await one.messaging.close()
    })
    return { batches, told }
  }

  it('is given what is due of a partition as one batch, in its order, and watermarks between', async () => {
    const { batches, told } = await batchesOf('partition')
    for (const partition of partitions) {
      const ofIt = batches.flat().filter((value) => value.startsWith(`${partition}@`))
      expect(ofIt).toEqual(inTimeOrder(ofIt))
    }
    expect(batches.length).toBeLessThan(60)
    expect((await batchesOf('combined')).batches.length).toBeGreaterThan(600)
    expect(told.length).toBeGreaterThan(0)
    expect(told).toEqual([...told].sort((one, other) => one - other))
  })
})

describe('a batch of which dedupe has seen some', () => {
  /** Of a batch of three, the last is known to be handled. */
  const knowsLast = {
    known: async (_: string, identities: readonly string[]) =>
      new Set(identities.length === 3 ? identities.slice(2) : []),
    mark: async () => undefined,
  }

  it('tells the handler of the others how they stand in the order', () =>
    over([[120, 100, 110]], async (simulation) => {
      const one = await inOrder(simulation, 'one', {
        dedupe: knowsLast,
        handleBatch: (messages: readonly Message<string>[], { order }: HandlerContext) => {
          for (const { value } of messages) one.handled.push({ value, order: order as EventOrder })
        },
      })
      await until(simulation, () => one.handled.length > 0)
      expect(one.values()).toEqual(['0@100', '0@110'])
      expect(one.handled[0]?.order).toMatchObject({ timestamp: day + 100, late: null, forced: false })
      await one.messaging.close()
    }))

  it('loses none of the others when its process dies before they are handled', () =>
    over([[100, 110, 120]], async (simulation) => {
      const { clock } = simulation
      let isHandling = false
      const one = await inOrder(simulation, 'one', {
        dedupe: knowsLast,
        handleBatch: async () => {
          isHandling = true
          await clock.sleep(60_000)
        },
      })
      await until(simulation, () => isHandling)
      // What is known to be handled is committed meanwhile.
      await clock.sleep(10_000)
      one.process.crash()
      const two = await inOrder(simulation, 'two')
      await until(simulation, () => two.handled.length >= 2)
      expect(two.values().slice(0, 2)).toEqual(['0@100', '0@110'])
      await two.messaging.close()
    }))
})

describe('one id twice in a batch', () => {
  it('is handled once, in its place of the order, and its repeat is done with', () =>
    over([[]], async (simulation) => {
      const { cluster } = simulation
      putTimes(cluster, 0, [120, 100, 110], [textHeader('td-id', 'one')])
      putTimes(cluster, 0, [130])
      const one = await inOrder(simulation, 'one', {
        dedupe: memoryDedupe(),
        handleBatch: (messages: readonly Message<string>[], { order }: HandlerContext) => {
          for (const { value } of messages) one.handled.push({ value, order: order as EventOrder })
        },
      })
      await until(simulation, () => cluster.committed('g')[0]?.offset === 4)
      expect(one.values()).toEqual(['0@100', '0@130'])
      await one.messaging.close()
    }))
})

describe('what the class that this comes from lost or held', () => {
  it('comes out: records of today, whose times are large numbers', () =>
    over([[0, 50, 1_000]], async (simulation) => {
      const one = await inOrder(simulation, 'one')
      await until(simulation, () => one.handled.length === 3)
      expect(one.values()).toEqual(['0@0', '0@50', '0@1000'])
      await one.messaging.close()
    }))

  it('comes out: many records of one and the same time', () =>
    over([Array.from({ length: 40 }, () => 7), [7, 7, 7]], async (simulation) => {
      const one = await inOrder(simulation, 'one')
      await until(simulation, () => one.handled.length === 43)
      expect(one.values()).toEqual(inTimeOrder(one.values()))
      await one.messaging.close()
    }))

  it('comes out: records behind a gap of time', () =>
    over([[0, 500, 1_600, 2_600, 86_400_000]], async (simulation) => {
      const one = await inOrder(simulation, 'one')
      await until(simulation, () => one.handled.length === 5)
      expect(one.values()).toEqual(inTimeOrder(one.values()))
      await one.messaging.close()
    }))

  it('is in time: what a slow partition has, however far a fast one is ahead', () =>
    over([Array.from({ length: 60 }, (_, index) => index * 100), []], async (simulation) => {
      const one = await inOrder(simulation, 'one', { reorder: never })
      for (let from = 0; from < 60; from += 20) {
        await simulation.clock.sleep(1_000)
        const times = Array.from({ length: 20 }, (_, index) => (from + index) * 100)
        putTimes(simulation.cluster, 1, times)
      }
      await until(simulation, () => one.handled.length >= 118)
      expect(one.values()).toEqual(inTimeOrder(one.values()))
      expect(one.handled.filter(({ order }) => order.late !== null)).toEqual([])
      await one.messaging.close()
    }))

  it('comes out: the tail, when nothing comes any more', () =>
    over([[100, 200], [150], []], async (simulation) => {
      const one = await inOrder(simulation, 'one')
      await until(simulation, () => one.handled.length === 3)
      expect(one.values()).toEqual(['0@100', '1@150', '0@200'])
      expect(one.consumer.facts().order).toMatchObject({ watermark: day + 200, buffered: 0, ready: 0, heldBy: null })
      await one.messaging.close()
    }))
})

describe('late records', () => {
  /** Idle partitions let time go on to 5,000; then one of them has something of 300. */
  const withLate = (
    reorder: object,
    check: (one: Awaited<ReturnType<typeof inOrder>>, simulation: Simulation) => void,
  ) =>
    over([[100, 5_000], []], async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('late')
      const one = await inOrder(simulation, 'one', { reorder })
      await until(simulation, () => one.handled.length === 2)
      putTimes(cluster, 1, [300])
      await simulation.clock.sleep(1_000)
      putTimes(cluster, 0, [6_000, 7_000])
      await until(simulation, () => one.values().includes('0@7000'))
      check(one, simulation)
      expect(cluster.committed('g').length).toBeGreaterThan(0)
      await one.messaging.close()
      const left = cluster.committed('g').map(({ partition, offset }) => [partition, offset])
      expect(left).toContainEqual([1, 2])
    })

  it('are handled, and say so', () =>
    withLate({}, (one) => {
      const late = one.handled.filter(({ order }) => order.late !== null)
      expect(late.map(({ value, order }) => [value, order.late, order.watermark - day])).toEqual([
        ['1@300', { lateByMs: 4_700 }, 5_000],
      ])
      expect(one.consumer.facts().order?.late).toBe(1)
    }))

  it('or are dropped, and counted', () =>
    withLate({ late: { policy: 'drop' } }, (one) => {
      expect(one.values()).toEqual(['0@100', '0@5000', '0@6000', '0@7000'])
      expect(one.consumer.facts().order?.late).toBe(1)
    }))

  it('are measured: how late they are, and how long each record waited for its turn', () =>
    over([[100, 5_000], [50]], async (simulation) => {
      const seen = new Map<string, number[]>()
      const observe = (name: string, _labels: unknown, seconds: number) =>
        void seen.set(name, [...(seen.get(name) ?? []), seconds])
      const metrics = { count: () => undefined, gauge: () => undefined, observe }
      const messaging = open(simulation.process('one'), { metrics })
      const reorder = { watermark: boundedOutOfOrderness(100).withIdleness({ maxIdleMs: 2_000 }) }
      let handled = 0
      const consumer = messaging.consumer({ group: 'g', topics: [t], reorder, handle: () => void (handled += 1) })
      await consumer.start()
      await until(simulation, () => handled === 3)
      putTimes(simulation.cluster, 1, [300])
      await until(simulation, () => handled === 4)
      await messaging.close()
      expect(seen.get('tidemark_consumer_late_by_seconds')).toEqual([4.7])
      const waits = seen.get('tidemark_consumer_order_wait_seconds') ?? []
      expect(waits).toHaveLength(4)
      expect(Math.max(...waits)).toBeGreaterThanOrEqual(2)
      expect(waits.at(-1)).toBeLessThan(0.1)
    }))

  it('cannot go to a topic that does not exist: the consumer does not start', () =>
    over([[100]], async (simulation) => {
      const messaging = open(simulation.process('one'))
      const late = { policy: 'side-topic', topic: 'not-made' } as const
      const reorder = { watermark: boundedOutOfOrderness(5), late }
      const consumer = messaging.consumer({ group: 'g', topics: [t], reorder, handle: () => undefined })
      await expect(consumer.start()).rejects.toThrow(/reorder\.late\.topic "not-made": does not exist.*ensureTopics/)
      await messaging.close()
    }))

  it('or go to a topic, with where they come from and how late they are', () =>
    withLate({ late: { policy: 'side-topic', topic: 'late' } }, (one, { cluster }) => {
      expect(one.values()).not.toContain('1@300')
      const [moved] = cluster.records('late', 0)
      const headers = Object.fromEntries((moved?.headers ?? []).map(([name, value]) => [name, value?.toString()]))
      expect(moved?.value?.toString()).toBe('1@300')
      expect(moved?.timestamp).toBe(day + 300)
      expect(headers).toMatchObject({
        'td-origin-topic': 't',
        'td-origin-partition': '1',
        'td-origin-offset': '0',
        'td-late-by-ms': '4700',
        'td-watermark': String(day + 5_000),
      })
    }))

  it('or to a function, which fails and is tried again as a handler', () => {
    const seen: unknown[] = []
    const onLate = ({ value }: Message, { attempt }: HandlerContext) => {
      seen.push([value, attempt])
      if (attempt === 1) throw new Error('not now')
    }
    return withLate({ late: { policy: 'callback', onLate } }, (one) => {
      expect(seen).toEqual([
        ['1@300', 1],
        ['1@300', 2],
      ])
      expect(one.values()).not.toContain('1@300')
    })
  })

  it('are none that came back from another topic: they have the time of their origin', () =>
    over([[100], []], async (simulation) => {
      const { cluster } = simulation
      const origin = textHeader('td-origin-timestamp', new Date(day + 50).toISOString())
      putTimes(cluster, 1, [9_000], [origin])
      const one = await inOrder(simulation, 'one')
      await until(simulation, () => one.handled.length === 2)
      expect(one.handled.map(({ value, order }) => [value, order.timestamp - day, order.late])).toEqual([
        ['1@9000', 50, null],
        ['0@100', 100, null],
      ])
      await one.messaging.close()
    }))
})

describe('what fails', () => {
  const flaky = (values: string[], fails: (value: string, attempt: number) => Error | null) => ({
    handle: ({ value }: Message<string>, { attempt }: HandlerContext) => {
      const error = fails(value, attempt)
      if (error !== null) throw error
      values.push(value)
    },
  })

  it('is tried again before anything later is handled, of any partition', () =>
    over(
      [
        [100, 300],
        [200, 400],
      ],
      async (simulation) => {
        const values: string[] = []
        const handling = flaky(values, (value, attempt) => (value === '1@200' && attempt < 3 ? new Error('no') : null))
        const one = await inOrder(simulation, 'one', handling)
        await until(simulation, () => values.length === 4)
        expect(values).toEqual(['0@100', '1@200', '0@300', '1@400'])
        await one.messaging.close()
      },
    ))

  it('goes to the dead-letter topic in its turn, and what cannot be decoded too', () =>
    over(
      [
        [100, 300],
        [200, 400],
      ],
      async (simulation) => {
        const { cluster } = simulation
        cluster.createTopic('t.dlq', { partitions: 2 })
        const values: string[] = []
        const handling = flaky(values, (value) => (value === '1@200' ? new DeadLetter('never') : null))
        const one = await inOrder(simulation, 'one', { ...handling, deadLetter: 't.dlq' })
        await until(simulation, () => values.length === 3)
        expect(values).toEqual(['0@100', '0@300', '1@400'])
        expect(cluster.records('t.dlq', 1).map(({ value }) => value?.toString())).toEqual(['1@200'])
        await one.messaging.close()
      },
    ))

  it('stops its partition; the others go on in order, and it does too when it is started again', () =>
    over(
      [
        [100, 300, 500],
        [200, 400, 600],
      ],
      async (simulation) => {
        const values: string[] = []
        let isMended = false
        const handling = flaky(values, (value) => (value === '1@200' && !isMended ? new Error('no') : null))
        const one = await inOrder(simulation, 'one', { ...handling, retry: false })
        await until(simulation, () => values.length === 3)
        expect(values).toEqual(['0@100', '0@300', '0@500'])
        expect(one.stopped).toMatchObject([{ code: 'handler-failed' }])
        isMended = true
        await one.consumer.restart('t', 1)
        await until(simulation, () => values.length === 6)
        expect(values.slice(3)).toEqual(['1@200', '1@400', '1@600'])
        await one.messaging.close()
      },
    ))
})

describe('partitions that come and go', () => {
  it('begin another epoch, each in order, and nothing is lost between them', () =>
    over([[], [], [], []], async (simulation) => {
      const { cluster, clock } = simulation
      const put = (from: number) => {
        for (let partition = 0; partition < 4; partition += 1) {
          const times = Array.from(
            { length: 20 },
            (_, index) => from + index * 40 + ((index * 29 + partition * 7) % 90),
          )
          putTimes(cluster, partition, times)
        }
      }
      const one = await inOrder(simulation, 'one')
      put(0)
      await clock.sleep(2_000)
      put(1_000)
      const two = await inOrder(simulation, 'two')
      put(2_000)
      await until(simulation, () => new Set([...one.values(), ...two.values()]).size === 240)
      await two.consumer.stop()
      put(3_000)
      await until(simulation, () => new Set([...one.values(), ...two.values()]).size === 320)
      for (const { handled } of [one, two]) {
        for (const epoch of new Set(handled.map(({ order }) => order.epoch))) {
          const inEpoch = handled.filter(({ order }) => order.epoch === epoch && order.late === null)
          const values = inEpoch.map(({ value }) => value)
          expect(values).toEqual(inTimeOrder(values))
        }
      }
      expect(one.handled.length + two.handled.length).toBe(320)
      await Promise.all([one.messaging.close(), two.messaging.close()])
    }))

  it('are read again from where the user says, and nothing of before is known', () =>
    over(
      [
        [100, 200],
        [150, 250],
      ],
      async (simulation) => {
        const one = await inOrder(simulation, 'one')
        await until(simulation, () => one.handled.length === 4)
        await one.consumer.seek('t', 0, 0)
        await until(simulation, () => one.handled.length === 6)
        expect(one.values().slice(4)).toEqual(['0@100', '0@200'])
        expect(one.handled.slice(4).map(({ order }) => order.late)).toEqual([null, null])
        await one.messaging.close()
      },
    ))
})

describe('a topic that is deleted', () => {
  it('is handled as far as it was read, and nobody waits for more of it', () =>
    over([[100]], async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('u', { partitions: 1 })
      cluster.appendTransaction(
        'u',
        0,
        [{ key: null, value: Buffer.from('u@300'), headers: [], timestamp: day + 300 }],
        'commit',
      )
      const one = await inOrder(simulation, 'one', {
        topics: ['t', 'u'].map((name) => defineTopic({ name, value: string() })),
        reorder: { watermark: boundedOutOfOrderness(100).withIdleness({ maxIdleMs: 30_000 }) },
      })
      await clock.sleep(2_000)
      cluster.deleteTopic('u')
      putTimes(cluster, 0, [5_000, 6_000])
      await clock.sleep(20_000)
      expect(one.values()).toEqual(['0@100'])
      await until(simulation, () => one.handled.length === 4)
      expect(one.values()).toEqual(['0@100', 'u@300', '0@5000', '0@6000'])
      await one.messaging.close()
    }))
})

describe('a topic that is made anew with fewer partitions', () => {
  it('is read without a group, and nobody waits for those that are missing', () =>
    over([[100], [300]], async (simulation) => {
      const { cluster, clock } = simulation
      const one = await inOrder(simulation, 'one', {
        ...{ group: null, from: 'earliest', onOutOfRange: 'earliest' },
        reorder: { watermark: boundedOutOfOrderness(100).withIdleness({ maxIdleMs: 10_000 }) },
      })
      await until(simulation, () => one.consumer.facts().order?.buffered === 2)
      cluster.deleteTopic('t')
      cluster.createTopic('t', { partitions: 1 })
      putTimes(cluster, 0, [5_000, 6_000])
      await clock.sleep(30_000)
      expect(one.values()).toEqual(['1@300', '0@5000', '0@6000'])
      cluster.addPartitions('t', 2)
      putTimes(cluster, 1, [6_500])
      await clock.sleep(30_000)
      expect(one.values().slice(3)).toEqual(['1@6500'])
      await one.messaging.close()
    }))
})

describe('a stop', () => {
  it.each([
    ['discard', 0],
    ['drain', 3],
  ] as const)('%s: of what was kept back %i are handled, and nothing is lost', (onShutdown, drained) =>
    over([[120, 100, 110], []], async (simulation) => {
      const one = await inOrder(simulation, 'one', { reorder: { ...never, onShutdown } })
      await until(simulation, () => one.consumer.facts().order?.buffered === 3)
      await one.consumer.stop({ timeoutMs: 10_000 })
      expect(one.values()).toEqual(['0@100', '0@110', '0@120'].slice(0, drained))
      const two = await inOrder(simulation, 'two')
      await simulation.clock.sleep(5_000)
      expect([...one.values(), ...two.values()].sort()).toEqual(['0@100', '0@110', '0@120'])
      await Promise.all([one.messaging.close(), two.messaging.close()])
    }),
  )
})

describe('a partition that waits for a schema', () => {
  /** Values that begin with 1 are decoded once that is told. */
  const withSchema = () => {
    const told = deferred<void>()
    let isTold = false
    void told.promise.then(() => (isTold = true))
    const missing = (bytes: Buffer | null) =>
      isTold || bytes?.[0] !== 0x31 ? null : { what: 'a schema', load: () => told.promise }
    const plain = defineTopic({ name: 't', value: string() })
    return { told, topic: { ...plain, value: { ...plain.value, reading: { missing } } } }
  }

  it('is not idle: none of its records is late because their schema was', () =>
    over(
      [
        [500, 900],
        [100, 200],
      ],
      async (simulation) => {
        const { topic, told } = withSchema()
        const watermark = boundedOutOfOrderness(100).withIdleness({ timeoutMs: 2_000 })
        const one = await inOrder(simulation, 'one', { topics: [topic], reorder: { watermark } })
        await simulation.clock.sleep(10_000)
        expect(one.values()).toEqual([])
        told.resolve()
        await until(simulation, () => one.handled.length === 4)
        expect(one.values()).toEqual(['1@100', '1@200', '0@500', '0@900'])
        expect(one.handled.every(({ order }) => order.late === null)).toBe(true)
        await one.messaging.close()
      },
    ))
})

describe('a time that is none', () => {
  it('stops its partition at its record, when what is before is handled', () =>
    over(
      [
        [100, 200],
        [150, -day - 1, 300],
      ],
      async (simulation) => {
        const one = await inOrder(simulation, 'one')
        await until(simulation, () => one.stopped.length === 1)
        expect(one.stopped).toMatchObject([{ code: 'invalid-timestamp', partition: 1, offset: 1 }])
        expect(one.stopped[0]?.message).toMatch(/its time is -1; mend its writer, or choose another policy/)
        await until(simulation, () => one.handled.length === 3)
        expect(one.values()).toEqual(['0@100', '1@150', '0@200'])
        await one.messaging.close()
      },
    ))

  it('is passed and committed, where the strategy says so', () =>
    over([[100, -day - 1, 200]], async (simulation) => {
      const watermark = boundedOutOfOrderness(100).withInvalidTimestamp('skip')
      const one = await inOrder(simulation, 'one', { reorder: { watermark } })
      await until(simulation, () => one.handled.length === 2)
      expect(one.consumer.facts().order?.skipped).toBe(1)
      await one.messaging.close()
      expect(simulation.cluster.committed('g')[0]?.offset).toBe(4)
    }))

  it('in the far future delays and makes late nobody', () =>
    over(
      [
        [100, 400 * 86_400_000, 200],
        [150, 180, 250],
      ],
      async (simulation) => {
        const one = await inOrder(simulation, 'one')
        await until(simulation, () => one.handled.length === 6)
        expect(one.handled.filter(({ order }) => order.late !== null)).toEqual([])
        expect(one.consumer.facts().order?.clamped).toBe(1)
        await one.messaging.close()
      },
    ))

  it('may be told by a function of the message; what that throws stops the partition, by name', () =>
    over([[500, 400, 300]], async (simulation) => {
      const { cluster } = simulation
      const timestampOf = ({ value }: Message) => {
        if (value === '0@9') throw new RangeError('secret')
        return day + 1_000 - Number(String(value).split('@')[1])
      }
      const watermark = boundedOutOfOrderness(1_000).withTimestampAssigner(timestampOf)
      const one = await inOrder(simulation, 'one', { reorder: { watermark } })
      await until(simulation, () => one.handled.length === 3)
      expect(one.values()).toEqual(['0@500', '0@400', '0@300'])
      putTimes(cluster, 0, [9])
      await until(simulation, () => one.stopped.length === 1)
      expect(one.stopped[0]?.code).toBe('watermark-strategy-failed')
      expect(one.stopped[0]?.message).toMatch(/threw RangeError/)
      expect(one.stopped[0]?.message).not.toMatch(/secret/)
      await one.messaging.close()
    }))

  it('of what cannot be decoded is not known where a function tells it: all others stay in time and in order', () =>
    over([[]], async (simulation) => {
      const { cluster } = simulation
      cluster.createTopic('t.dlq', { partitions: 1 })
      const stored = (text: string) => ({
        key: null,
        value: Buffer.from(text),
        headers: [],
        timestamp: day + 9_000_000,
      })
      const texts = ['{', '{"at":300}', 'no', '{"at":100}', '{"at":200}', '{"at":900}']
      cluster.appendTransaction('t', 0, texts.map(stored), 'commit')
      const timestampOf = ({ value }: Message) => day + (value as { at: number }).at
      const one = await inOrder(simulation, 'one', {
        topics: [defineTopic({ name: 't', value: json<{ at: number }>() })],
        deadLetter: 't.dlq',
        reorder: { watermark: boundedOutOfOrderness(300).withTimestampAssigner(timestampOf) },
      })
      await until(simulation, () => one.handled.length === 4)
      expect(one.handled.map(({ order }) => order.timestamp - day)).toEqual([100, 200, 300, 900])
      expect(one.handled.every(({ order }) => order.late === null)).toBe(true)
      await simulation.clock.sleep(2_000)
      expect(cluster.records('t.dlq', 0).map(({ value }) => value?.toString())).toEqual(['{', 'no'])
      expect(one.consumer.facts().partitions[0]?.lag).toBe(0)
      await one.messaging.close()
    }))

  it.each(['onRecord', 'currentWatermark'] as const)(
    'stop their partition at the record where %s of a generator throws; what came before is handled, and that one is not',
    (method) =>
      over([[100, 200, 300, 400]], async (simulation) => {
        const inner = boundedOutOfOrderness(0).rules.generator({ topic: 't', partition: 0 })
        let newest = 0
        const guarded = (call: typeof method) => {
          if (call === method && newest >= day + 300) throw new RangeError('secret')
        }
        const watermark = watermarksBy(() => ({
          onRecord: (time) => {
            newest = time
            guarded('onRecord')
            inner.onRecord(time)
          },
          currentWatermark: () => {
            guarded('currentWatermark')
            return inner.currentWatermark()
          },
        }))
        const one = await inOrder(simulation, 'one', { reorder: { watermark } })
        await until(simulation, () => one.stopped.length === 1)
        expect(one.stopped[0]).toMatchObject({ code: 'watermark-strategy-failed', offset: 2 })
        expect(one.values()).toEqual(['0@100', '0@200'])
        await one.messaging.close()
      }),
  )
})

describe('the watermark', () => {
  it('is told when what is before it is done, and before what is behind it begins', () =>
    over(
      [
        [100, 300, 900],
        [200, 800],
      ],
      async (simulation) => {
        const seen: (string | number)[] = []
        const one = await inOrder(simulation, 'one', {
          handle: async ({ value }: Message<string>) => {
            await simulation.clock.sleep(5)
            seen.push(value)
          },
          reorder: {
            onWatermark: async (watermark: number) => {
              await simulation.clock.sleep(3)
              seen.push(watermark - day)
            },
          },
        })
        await until(simulation, () => seen.includes(900))
        const times = seen.map((one) => (typeof one === 'number' ? one : Number(one.split('@')[1])))
        for (const [index, one] of seen.entries()) {
          if (typeof one !== 'number') continue
          expect(times.slice(0, index).every((time) => time <= one)).toBe(true)
          expect(
            seen.slice(index + 1).every((later) => typeof later === 'number' || Number(later.split('@')[1]) > one),
          ).toBe(true)
        }
        await one.messaging.close()
      },
    ))

  it('that cannot be told fails the consumer: nothing is handled as if it had been', () =>
    over([[]], async (simulation) => {
      const onWatermark = () => {
        throw new TypeError('secret')
      }
      const one = await inOrder(simulation, 'one', { reorder: { onWatermark } })
      putTimes(simulation.cluster, 0, [100, 300, 900])
      await until(simulation, () => one.failed.length === 1)
      expect(one.failed).toMatchObject([{ code: 'watermark-callback-failed' }])
      expect(one.failed[0]?.message).not.toMatch(/secret/)
      expect(one.values().length).toBeLessThan(3)
      await one.messaging.close()
    }))

  it('that is being told when the consumer ends is waited for no longer, and hears of it', () =>
    over([[]], async (simulation) => {
      let heard: unknown = null
      const onWatermark = (_watermark: number, { signal }: { signal: AbortSignal }) =>
        new Promise<void>((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            heard = signal.reason
            reject(signal.reason as Error)
          })
        })
      const one = await inOrder(simulation, 'one', { reorder: { onWatermark } })
      putTimes(simulation.cluster, 0, [100, 300, 900])
      await simulation.clock.sleep(2_000)
      expect(heard).toBeNull()
      await one.messaging.close()
      expect(heard).toMatchObject({ code: 'closed' })
      expect(one.failed).toEqual([])
    }))

  it('that stands while records wait is a warning, with the partition that holds it, and its end is told', () =>
    over([[100, 300, 900], []], async (simulation) => {
      const one = await inOrder(simulation, 'one', { reorder: never })
      await simulation.clock.sleep(32_000)
      const held = one.lines.filter(({ fields }) => fields['event'] === 'watermark-held')
      expect(held.map(({ level, fields }) => [level, fields['heldBy']])).toEqual([
        ['warn', { topic: 't', partition: 1 }],
      ])
      expect(one.consumer.facts().order).toMatchObject({ buffered: 3, heldBy: { topic: 't', partition: 1 } })
      expect(one.consumer.facts().partitions.map(({ waitsFor }) => waitsFor)).toEqual(['order', null])
      putTimes(simulation.cluster, 1, [2_000])
      await until(simulation, () => one.handled.length === 3)
      await simulation.clock.sleep(1_000)
      expect(one.lines.some(({ fields }) => fields['event'] === 'watermark-moves')).toBe(true)
      await one.messaging.close()
    }))
})

describe('bounds', () => {
  it('pause what is ahead, never what all wait for; less than one fetch is enough room', () =>
    over([Array.from({ length: 1_300 }, (_, index) => index), []], async (simulation) => {
      const buffer = { maxRecords: 1_000, maxRecordsPerPartition: 300 }
      const one = await inOrder(simulation, 'one', { reorder: { ...never, buffer }, highMark: { records: 600 } })
      await simulation.clock.sleep(2_000)
      const [ahead, behind] = one.consumer.facts().partitions
      expect([ahead?.pausedBy, behind?.pausedBy]).toEqual([['reorder'], []])
      expect(one.consumer.facts().order?.buffered).toBeLessThanOrEqual(600)
      putTimes(simulation.cluster, 1, [10_000])
      await until(simulation, () => one.handled.length === 1_200)
      expect(one.values()).toEqual(inTimeOrder(one.values()))
      expect(one.consumer.facts().order).toMatchObject({ forced: 0, late: 0 })
      await one.messaging.close()
    }))

  it('over them the oldest go early, and say so; or the consumer fails', () =>
    over([[]], async (simulation) => {
      const times = Array.from({ length: 1_200 }, (_, index) => index % 50)
      const buffer = { maxRecords: 1_000 }
      const one = await inOrder(simulation, 'one', { reorder: { ...never, buffer } })
      const whenFull = { buffer: { ...buffer, whenFull: 'shut-down' as const } }
      const two = await inOrder(simulation, 'two', { group: 'other', reorder: { ...never, ...whenFull } })
      putTimes(simulation.cluster, 0, times)
      await until(simulation, () => one.handled.length > 100 && two.failed.length === 1)
      expect(one.handled.some(({ order }) => order.forced)).toBe(true)
      expect(two.failed).toMatchObject([{ code: 'reorder-buffer-full' }])
      expect(two.values()).toEqual([])
      await Promise.all([one.messaging.close(), two.messaging.close()])
    }))
})

describe('options that make no sense', () => {
  it.each([
    [{ reorder: {} }, /reorder.watermark/],
    [{ reorder: { watermark: { rules: {} } } }, /a watermark strategy of tidemark\/event-time/],
    [{ order: 'key' }, /order: .*'partition'/],
    [{ reorder: { buffer: { maxRecords: 10 } } }, /at least 1,000/],
    [{ reorder: { late: { policy: 'side-topic', topic: 'no topic' } } }, /reorder.late/],
    [{ reorder: { late: { policy: 'lose' } } }, /reorder.late/],
    [{ reorder: { late: 'drop' } }, /reorder.late: is a string; write an object .*\{ policy: 'drop' \}/],
  ])('are refused with what to write: %j', (options, message) =>
    over([[]], async (simulation) => {
      const { reorder, ...rest } = options as { reorder?: object }
      const watermark = boundedOutOfOrderness(1)
      const given = reorder !== undefined && Object.keys(reorder).length === 0 ? { watermark: undefined } : reorder
      await expect(inOrder(simulation, 'one', { ...rest, reorder: { watermark, ...given } })).rejects.toThrow(message)
    }),
  )
})
