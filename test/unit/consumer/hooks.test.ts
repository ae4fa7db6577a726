import { createMessaging, defineTopic, string, type ClientEvent } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'
import { describe, expect, it } from 'vitest'
import { DriverError } from '../../../src/errors.js'
import { noHeaders } from '../../../src/message/record.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import type { OnAssigned, OnRevoked } from '../../../src/consumer/options/consumer-options.js'
import { ManualHandler, setUp, type Options } from './consumer-setup.js'
import { records } from './fake-driver.js'

type Answer = Awaited<ReturnType<OnAssigned>>

/** An `onAssigned` that answers when the test says so. */
class Asked {
  readonly calls: { places: Parameters<OnAssigned>[0]; signal: AbortSignal }[] = []
  readonly #answers: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = []

  readonly hook: OnAssigned = (places, { signal }) => {
    this.calls.push({ places, signal })
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }))
  }

  answer(answer: Answer, call = this.#answers.length - 1): void {
    this.#answers[call]?.resolve(answer)
  }

  fail(error: Error): void {
    this.#answers.at(-1)?.reject(error)
  }
}

async function running(options: Options = {}) {
  const asked = new Asked()
  const handled: string[] = []
  const events: ClientEvent[] = []
  const world = setUp(
    {
      handle: ({ partition, offset }) => void handled.push(`${partition}@${offset}`),
      onAssigned: asked.hook,
      ...options,
    },
    { onEvent: (event) => events.push(event) },
  )
  await world.consumer.start()
  const told = () => events.filter(({ kind }) => kind === 'hook-failed')
  return { ...world, asked, handled, events, told }
}

const record = (text: string) => ({ key: null, value: Buffer.from(text), headers: noHeaders, timestamp: 0 })

const committed = (offset: number) => ({ committed: { offset, metadata: null } })

describe('onAssigned', () => {
  it('is asked before anything is fetched, and says where partitions start; the others start where their group stands', async () => {
    const { clock, driver, consumer, asked, handled } = await running()
    const first = await driver.assign('t', 0, committed(50))
    await driver.assign('t', 1, committed(60))
    await clock.advance(5_000)
    expect(asked.calls.map(({ places }) => places)).toEqual([
      [{ topic: 't', partition: 0, committed: 50, topicId: null }],
      [{ topic: 't', partition: 1, committed: 60, topicId: null }],
    ])
    expect(driver.calls).toEqual(['pause t-0', 'pause t-1'])
    expect(consumer.facts().partitions).toMatchObject([
      { pausedBy: ['hook'], waitsFor: 'hook' },
      { pausedBy: ['hook'], waitsFor: 'hook' },
    ])
    asked.answer([{ topic: 't', partition: 0, offset: 7 }], 0)
    asked.answer(undefined, 1)
    await clock.advance(0)
    expect(driver.calls.slice(2)).toEqual(['seek t-0 7', 'resume t-0', 'resume t-1'])
    expect([consumer.position('t', 0), consumer.position('t', 1)]).toEqual([7, 60])
    driver.deliver(first, records(7, 9))
    await clock.advance(200)
    expect(handled).toEqual(['0@7', '0@8'])
    await clock.runUntil(consumer.commit())
    expect(driver.committed('t', 0)?.nextOffset).toBe(9)
  })

  it.each([
    ['throws', (asked: Asked) => asked.fail(new Error('no database')), 'no database'],
    ['answers no list', (asked: Asked) => asked.answer('7' as never), 'is no starting place'],
    ['answers no offset', (asked: Asked) => asked.answer([{ topic: 't', partition: 0, offset: -1 }]), 'offset of t-0'],
    [
      'names one twice',
      (asked: Asked) =>
        asked.answer([
          { topic: 't', partition: 0, offset: 1 },
          { topic: 't', partition: 0, offset: 2 },
        ]),
      'names t-0 twice',
    ],
    ['names another one', (asked: Asked) => asked.answer([{ topic: 't', partition: 5, offset: 1 }]), 'not asked for'],
  ])('that %s: its partition is held, told, asked for again, and starts nowhere else', async (_, end, why) => {
    const { clock, driver, consumer, asked, told } = await running()
    await driver.assign('t', 0, committed(50))
    await clock.advance(0)
    end(asked)
    await clock.advance(0)
    expect(told()).toMatchObject([
      {
        hook: 'onAssigned',
        partitions: [{ topic: 't', partition: 0 }],
        error: { message: expect.stringContaining(why) },
      },
    ])
    expect(consumer.facts().partitions).toMatchObject([{ pausedBy: ['hook'], settled: -1 }])
    await clock.advance(5_000)
    expect(asked.calls).toHaveLength(2)
    expect(driver.commits).toEqual([])
    asked.answer([{ topic: 't', partition: 0, offset: 3 }])
    await clock.advance(0)
    expect(driver.calls).toEqual(['pause t-0', 'seek t-0 3', 'resume t-0'])
    expect(driver.committed('t', 0)?.nextOffset).toBe(3)
  })

  it('that does not end in time sees its signal abort, is asked again, and its late answer counts for nothing', async () => {
    const { clock, driver, consumer, asked, told } = await running({ hookTimeoutMs: 2_000 })
    await driver.assign('t', 0)
    await clock.advance(2_000)
    expect(asked.calls[0]?.signal.aborted).toBe(true)
    expect(told()).toMatchObject([{ error: { code: 'hook-timeout' } }])
    await clock.advance(2_000)
    asked.answer([{ topic: 't', partition: 0, offset: 9 }], 0)
    await clock.advance(0)
    expect(consumer.facts().partitions[0]?.pausedBy).toEqual(['hook'])
    asked.answer([{ topic: 't', partition: 0, offset: 4 }], 1)
    await clock.advance(0)
    expect(consumer.position('t', 0)).toBe(4)
  })

  it('holds up no revoke and no stop: what is held goes at once, nothing of it is committed, and it is not asked again', async () => {
    const { clock, driver, consumer, asked, drains, told } = await running()
    const held = await driver.assign('t', 0, committed(50))
    await driver.assign('t', 1, committed(60))
    await clock.advance(100)
    const begun = clock.now()
    await clock.runUntil(driver.revoke(held, 60_000))
    expect(asked.calls.map(({ signal }) => signal.aborted)).toEqual([true, false])
    asked.answer([{ topic: 't', partition: 0, offset: 3 }], 0)
    await clock.runUntil(consumer.stop())
    expect(clock.now() - begun).toBeLessThan(1_000)
    expect(driver.commits).toEqual([])
    expect(drains.map(({ possibleDuplicates }) => possibleDuplicates)).toEqual([[], []])
    expect(told()).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })

  it('is asked again when its partition is reset meanwhile, and a seek takes its place', async () => {
    const { clock, driver, consumer, asked } = await running()
    const assigned = await driver.assign('t', 0)
    await clock.advance(0)
    driver.reset(assigned, 20)
    await clock.advance(0)
    expect(asked.calls).toHaveLength(2)
    expect(consumer.facts().partitions[0]?.pausedBy).toEqual(['hook'])
    await clock.runUntil(consumer.seek('t', 0, 33))
    asked.answer([{ topic: 't', partition: 0, offset: 4 }])
    await clock.advance(0)
    expect(consumer.position('t', 0)).toBe(33)
    expect(consumer.facts().partitions[0]?.pausedBy).toEqual([])
  })

  it.each([
    ['topic-made-anew', 2],
    ['log-cut', 1],
  ] as const)('is asked again when its partition goes on in another log, and only then: %s', async (reason, times) => {
    const { clock, driver, consumer, asked, events } = await running()
    const assigned = await driver.assign('t', 0)
    await clock.advance(0)
    asked.answer([{ topic: 't', partition: 0, offset: 4 }])
    await clock.advance(0)
    driver.reset(assigned, 20, reason)
    await clock.advance(0)
    expect(asked.calls).toHaveLength(times)
    expect(events.filter(({ kind }) => kind === 'reset')).toMatchObject([{ from: 0, to: 20, reason }])
    asked.answer([{ topic: 't', partition: 0, offset: 3 }])
    await clock.advance(0)
    expect(consumer.position('t', 0)).toBe(times === 2 ? 3 : 20)
  })

  it('is told which topic it is, and nothing of what was committed before it was made anew', async () => {
    const cluster = createMemoryCluster()
    const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off', logger: 'silent' })
    const told: Parameters<OnAssigned>[0][] = []
    const life = async () => {
      const consumer = messaging.consumer({
        group: 'g',
        topics: [defineTopic({ name: 't', value: string() })],
        onOutOfRange: 'earliest',
        commit: 'each',
        handle: () => undefined,
        onAssigned: (partitions) => void told.push(partitions),
      })
      await consumer.start()
      await consumer.caughtUp({ timeoutMs: 10_000 })
      await consumer.stop()
    }
    const fill = () => cluster.appendTransaction('t', 0, [record('a'), record('b')], 'commit')
    cluster.createTopic('t', { partitions: 1 })
    fill()
    for (let lives = 0; lives < 2; lives += 1) await life()
    const [former] = cluster.committed('g')
    cluster.deleteTopic('t')
    cluster.createTopic('t', { partitions: 1 })
    fill()
    // It was on its way when the topic was deleted.
    cluster.restoreCommit('g', former!)
    await life()
    await messaging.close()
    const [first, second, third] = told.map(([place]) => place)
    expect(first).toEqual({ topic: 't', partition: 0, committed: null, topicId: expect.stringMatching(/^[\w-]{22}$/) })
    expect(second).toEqual({ ...first, committed: former?.offset })
    expect(third).toEqual({ ...first, topicId: expect.not.stringMatching(`^${first?.topicId}$`) })
  })

  it('leaves what its user paused paused', async () => {
    const { clock, driver, consumer, asked } = await running()
    consumer.pause([{ topic: 't' }])
    await driver.assign('t', 0)
    await clock.advance(0)
    asked.answer([{ topic: 't', partition: 0, offset: 4 }])
    await clock.advance(0)
    expect(consumer.facts().partitions[0]?.pausedBy).toEqual(['user'])
    expect(driver.calls).not.toContain('resume t-0')
  })

  it('is awaited by start(), and by none for longer than its first end', async () => {
    const clock = virtualClock()
    const runtime = { clock, random: seededRandom(1) }
    const cluster = createMemoryCluster({ runtime, latencyMs: 1 })
    cluster.createTopic('t', { partitions: 1 })
    const values = Array.from({ length: 6 }, (_, index) => Buffer.from(`${index}`))
    const made = values.map((value) => ({ key: null, value, headers: noHeaders, timestamp: 0 }))
    cluster.appendTransaction('t', 0, made, 'commit')
    const t = defineTopic({ name: 't', value: string() })
    const messaging = createMessaging({ driver: memory({ cluster, runtime }), logger: 'silent' })
    const handled: string[] = []
    let attempt = 0
    const consumer = messaging.consumer({
      group: 'g',
      topics: [t],
      handle: ({ value }) => void handled.push(value),
      onAssigned: async () => {
        attempt += 1
        await clock.sleep(2_000)
        if (attempt === 1) throw new Error('no database yet')
        return [{ topic: 't', partition: 0, offset: 4 }]
      },
    })
    const begun = clock.now()
    await clock.runUntil(consumer.start())
    expect(clock.now() - begun).toBeGreaterThanOrEqual(2_000)
    expect(clock.now() - begun).toBeLessThan(4_000)
    expect(handled).toEqual([])
    await clock.advance(10_000)
    expect(handled).toEqual(['4', '5'])
    await clock.runUntil(messaging.close())
  })
})

describe('the answer of onAssigned', () => {
  it('starts a partition that failed meanwhile, and that is told', async () => {
    const events: ClientEvent[] = []
    let answer: (places: never) => void = () => undefined
    const all = setUp(
      { onAssigned: () => new Promise<never>((resolve) => (answer = resolve as never)) },
      { onEvent: (event) => void events.push(event) },
    )
    await all.consumer.start()
    const assigned = await all.driver.assign('t', 0)
    await all.clock.advance(0)
    all.driver.listener.partitionFailed(assigned, new DriverError('offset-out-of-range', 'gone', {}))
    await all.clock.advance(0)
    answer([{ topic: 't', partition: 0, offset: 7 }] as never)
    await all.clock.advance(10)
    expect(all.consumer.facts().partitions).toMatchObject([{ state: 'active', position: 7 }])
    expect(events.map(({ kind }) => kind)).toContain('partition-restarted')
  })
})

describe('an answer of onAssigned beyond the end of the log', () => {
  it('stops its partition with an error that does not blame the log alone', async () => {
    const clock = virtualClock()
    const runtime = { clock, random: seededRandom(1) }
    const cluster = createMemoryCluster({ runtime, latencyMs: 1 })
    cluster.createTopic('t', { partitions: 1 })
    const messaging = createMessaging({ driver: memory({ cluster, runtime }), durability: 'off', logger: 'silent' })
    const stops: string[] = []
    const consumer = messaging.consumer({
      group: 'g',
      topics: [defineTopic({ name: 't', value: string() })],
      handle: () => undefined,
      onAssigned: () => [{ topic: 't', partition: 0, offset: 99 }],
      onPartitionStopped: (_, { message }) => stops.push(message),
    })
    await clock.runUntil(consumer.start())
    await clock.advance(10_000)
    expect(stops).toEqual([expect.stringMatching(/position 99 .* never were any: see what onAssigned, seek or a tool/)])
    await clock.runUntil(messaging.close())
  })
})

describe('onRevoked', () => {
  async function revoking(onRevoked: OnRevoked, options: Options = {}) {
    const handler = new ManualHandler()
    const events: ClientEvent[] = []
    const world = setUp(
      { handle: handler.handle, onRevoked, commit: { everyMs: 3_600_000 }, ...options },
      { onEvent: (event) => events.push(event) },
    )
    await world.consumer.start()
    const assigned = await world.driver.assign('t', 0)
    world.driver.deliver(assigned, records(0, 2))
    await world.clock.advance(0)
    const told = () => events.filter(({ kind }) => kind === 'hook-failed')
    return { ...world, handler, assigned, told }
  }

  it('is awaited beside running handlers before what is settled is committed, and may commit itself', async () => {
    const seen: unknown[] = []
    const { clock, driver, handler, assigned, drains, consumer } = await revoking(async (partitions, { reason }) => {
      seen.push(partitions, reason)
      handler.end(0)
      await clock.sleep(300)
      await consumer.commit()
      seen.push(driver.committed('t', 0)?.nextOffset)
      await clock.sleep(300)
    })
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(seen).toEqual([[{ topic: 't', partition: 0 }], 'revoked', 1])
    expect(drains).toMatchObject([{ abandoned: 0, committed: [{ offset: 1 }] }])
    expect(drains[0]?.tookMs).toBeGreaterThanOrEqual(600)
  })

  it('that takes too long sees its signal abort, is told, and holds up nobody beyond the time of handlers', async () => {
    const signals: AbortSignal[] = []
    const never: OnRevoked = (_, { signal }) => {
      signals.push(signal)
      return new Promise(() => undefined)
    }
    const { clock, driver, handler, assigned, drains, told } = await revoking(never, { drainMs: 1_000 })
    handler.end(0)
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(signals[0]?.aborted).toBe(true)
    expect(drains[0]).toMatchObject({ committed: [{ offset: 1 }], tookMs: 1_000 })
    expect(told()).toMatchObject([{ hook: 'onRevoked', error: { code: 'hook-timeout' } }])
  })

  it('that throws is told, and what is settled is committed all the same', async () => {
    const { clock, driver, handler, assigned, drains, told } = await revoking(() => {
      throw new Error('no')
    })
    handler.end(0)
    await clock.runUntil(driver.revoke(assigned, 60_000))
    expect(drains[0]).toMatchObject({ committed: [{ offset: 1 }] })
    expect(told()).toMatchObject([{ hook: 'onRevoked', delayMs: null }])
  })

  it('that does not end after a loss leaves no timer when the consumer has stopped, and is not told as failed', async () => {
    const { clock, driver, assigned, consumer, told } = await revoking((_, { signal }) => {
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended'))))
    })
    driver.lose(assigned)
    await clock.advance(100)
    await clock.runUntil(consumer.stop())
    expect(clock.pendingTimers).toBe(0)
    expect(told()).toEqual([])
  })

  it('hears of a stop and of what is lost, once each, and never of what it was not told is ours', async () => {
    const seen: string[] = []
    const note: OnRevoked = (partitions, { reason }) =>
      void seen.push(`${reason} ${partitions.map((at) => at.partition).join()}`)
    const { clock, driver, handler, assigned, consumer } = await revoking(note)
    driver.lose(assigned)
    await driver.assign('t', 1)
    handler.end(0)
    await clock.runUntil(consumer.stop())
    expect(seen).toEqual(['lost 0', 'stopped 1'])
    seen.length = 0
    const held = setUp({ onRevoked: note, onAssigned: () => new Promise(() => undefined) })
    await held.consumer.start()
    const one = await held.driver.assign('t', 0)
    await held.clock.advance(0)
    await held.clock.runUntil(held.driver.revoke(one, 10_000))
    expect(seen).toEqual([])
  })
})
