import { describe, expect, it } from 'vitest'
import { Unavailable } from '../../../src/consumer/handling/fate.js'
import { orderedBy } from '../../../src/reorder/sequencer.js'
import type { AssignedPartition } from '../../../src/driver/consumer.js'
import type { OnWatermark } from '../../../src/reorder/reorder-options.js'
import type { TopicPartition } from '../../../src/message/topic-partition.js'
import type { ClientEvent } from '../../../src/telemetry/events.js'
import { boundedOutOfOrderness } from 'tidemark/event-time'
import { setUp, type Options } from '../consumer/consumer-setup.js'
import { record } from '../consumer/fake-driver.js'

interface Call {
  readonly watermark: number
  readonly at: number
}

/** A consumer with so many partitions in one order, each with records of the times 100, 200 and 300; 200 are done at first. */
async function world(failure: (at: number, signal: AbortSignal) => unknown, partitions = 1, options: Options = {}) {
  const calls: Call[] = []
  const handled: string[] = []
  const events: ClientEvent[] = []
  /** What was handled and told, in order. */
  const done: string[] = []
  const onWatermark: OnWatermark = async (watermark, { signal }) => {
    const at = all.clock.now() - startedAt
    calls.push({ watermark, at })
    const error = await failure(at, signal)
    if (error !== undefined) throw error as Error
    done.push(`told ${watermark}`)
  }
  const ordering = orderedBy({
    watermark: boundedOutOfOrderness(9).withFutureGuard(false).withIdleness({ maxIdleMs: Infinity }),
    order: 'combined',
    lateness: 'combined',
    late: { policy: 'deliver' },
    buffer: {
      ...{ maxRecords: 1_000, maxBytes: 1e9, maxRecordsPerPartition: 1_000, maxUncommittedSpan: 1_000 },
      whenFull: 'emit-early',
    },
    onShutdown: 'discard',
    onWatermark,
  })
  const all = setUp(
    {
      handle: ({ partition, offset }) => {
        handled.push(`${partition}@${offset}`)
        done.push(`${partition}@${offset}`)
      },
      ...options,
    },
    { ordering, onEvent: (event) => void events.push(event) },
  )
  const { clock, driver, consumer } = all
  const startedAt = clock.now()
  await clock.runUntil(consumer.start())
  const take = async (partition: number) => {
    const assigned = await driver.assign('t', partition)
    write(assigned, [100, 200, 300], 0)
    return assigned
  }
  const write = (assigned: AssignedPartition, times: readonly number[], from: number) =>
    driver.deliver(
      assigned,
      times.map((timestamp, index) => ({ ...record(from + index), timestamp })),
    )
  const assigned = await Promise.all(Array.from({ length: partitions }, (_, partition) => take(partition)))
  const told = () => events.filter(({ kind }) => kind.startsWith('outage'))
  return { ...all, calls, handled, done, assigned, take, write, told, end: () => clock.runUntil(consumer.stop()) }
}

/** The database is down for so long. */
const downFor = (ms: number) => (at: number) => (at < ms ? new Unavailable('the database is down') : undefined)
const watermarksOf = (calls: readonly Call[]) => [...new Set(calls.map(({ watermark }) => watermark))]

describe('onWatermark that finds what it needs not available', () => {
  it('is called again at rising distances until it ends well; nothing later is handled before, and nothing fails', async () => {
    const { clock, calls, handled, assigned, write, failures, end } = await world(downFor(60_000), 2)
    await clock.advance(1_000)
    for (const one of assigned) write(one, [400, 500], 3)
    await clock.advance(54_000)
    expect(watermarksOf(calls)).toEqual([290])
    const waits = calls.slice(1).map(({ at }, index) => at - (calls[index]?.at ?? 0))
    expect(Math.min(...waits.slice(0, 2))).toBeLessThan(1_500)
    expect(Math.max(...waits)).toBeLessThanOrEqual(12_000)
    expect(calls.length).toBeGreaterThan(6)
    expect(calls.length).toBeLessThan(20)
    expect(handled.length).toBe(4)
    await clock.advance(20_000)
    expect(watermarksOf(calls)).toEqual([290, 490])
    expect(handled.length).toBe(8)
    expect(failures).toEqual([])
    await end()
    await clock.advance(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('is an outage of one partition, told once, as where a handler finds it', async () => {
    const { clock, consumer, assigned, write, told, end } = await world(downFor(30_000), 2)
    await clock.advance(1_000)
    for (const one of assigned) write(one, [400, 500], 3)
    await clock.advance(20_000)
    const facts = () => consumer.facts().partitions.map(({ pausedBy, waitsFor }) => [pausedBy, waitsFor])
    expect(facts()).toEqual([
      [['outage'], 'outage'],
      [[], 'order'],
    ])
    expect(told()).toMatchObject([
      {
        kind: 'outage-began',
        topic: 't',
        partition: 0,
        offset: 2,
        cause: 'unavailable',
        error: { code: 'unavailable' },
      },
    ])
    await clock.advance(30_000)
    expect(facts().map(([pausedBy]) => pausedBy)).toEqual([[], []])
    expect(told().slice(1)).toMatchObject([{ kind: 'outage-ended', partition: 0, by: 'success' }])
    await end()
  })

  it('says so by any error that classify calls unavailable', async () => {
    const error = new Error('no connection')
    const failure = (at: number) => (at < 20_000 ? error : undefined)
    const classify = (thrown: unknown) => (thrown === error ? ('unavailable' as const) : undefined)
    const { clock, calls, failures, end } = await world(failure, 1, { classify })
    await clock.advance(40_000)
    expect([calls.length > 3, watermarksOf(calls), failures]).toEqual([true, [290], []])
    await end()
  })

  it('fails the consumer when it throws something else afterwards, and is not called again', async () => {
    const failure = (at: number) => (at < 20_000 ? new Unavailable('down') : new TypeError('secret'))
    const { clock, calls, failures, told } = await world(failure)
    await clock.advance(120_000)
    expect(failures).toMatchObject([{ code: 'watermark-callback-failed', cause: { message: 'secret' } }])
    expect(calls.filter(({ at }) => at >= 20_000)).toHaveLength(1)
    expect(told().at(-1)).toMatchObject({ kind: 'outage-ended', by: 'left' })
    expect(clock.pendingTimers).toBe(0)
  })

  it('has handlerTimeoutMs for each call, and beyond it fails the consumer whatever classify says, since it may run still', async () => {
    const options: Options = { handlerTimeoutMs: 2_000, classify: () => 'unavailable' }
    let aborted = false
    const failure = (at: number, signal: AbortSignal) => {
      if (at < 30_000) return new Error('down')
      signal.addEventListener('abort', () => (aborted = true))
      return new Promise(() => undefined)
    }
    const { clock, calls, failures } = await world(failure, 1, options)
    await clock.advance(29_000)
    expect([calls.length > 4, failures]).toEqual([true, []])
    await clock.advance(60_000)
    expect(failures).toMatchObject([{ code: 'watermark-callback-failed' }])
    expect([calls.filter(({ at }) => at >= 30_000).length, aborted]).toEqual([1, true])
  })

  it('does not hold up a stop', async () => {
    const { clock, consumer, calls, failures } = await world(downFor(Infinity))
    await clock.advance(30_000)
    const before = [calls.length, clock.now()]
    await clock.runUntil(consumer.stop())
    expect([calls.length, clock.now()]).toEqual(before)
    await clock.advance(60_000)
    expect([calls.length, failures, clock.pendingTimers]).toEqual([before[0], [], 0])
  })

  it('does not hold up a revocation: another partition waits for it then', async () => {
    const { clock, driver, calls, assigned, told, end } = await world(downFor(60_000), 2)
    await clock.advance(30_000)
    const at = clock.now()
    await clock.runUntil(driver.revoke(assigned[0]!, 10_000))
    expect(clock.now()).toBe(at)
    const before = calls.length
    await clock.advance(5_000)
    expect(calls.length).toBeGreaterThan(before)
    expect(told().map(({ kind, ...of }) => [kind, (of as TopicPartition).partition])).toEqual([
      ['outage-began', 0],
      ['outage-ended', 0],
      ['outage-began', 1],
    ])
    await clock.advance(60_000)
    expect(told().at(-1)).toMatchObject({ kind: 'outage-ended', partition: 1, by: 'success' })
    await end()
  })

  it('is called no more when all partitions are given up, and again for one that comes', async () => {
    const { clock, driver, calls, assigned, take, failures, end } = await world(downFor(60_000))
    await clock.advance(30_000)
    await clock.runUntil(driver.revoke(assigned[0]!, 10_000))
    const before = calls.length
    await clock.advance(90_000)
    expect(calls.length).toBe(before)
    await take(1)
    await clock.advance(1_000)
    expect([calls.length - before, calls.at(-1)?.watermark, failures]).toEqual([1, 290, []])
    await end()
  })
})

describe('onWatermark that waits', () => {
  it('is not told again of an order that is over: what a partition that came has of that time is handled first', async () => {
    const { clock, calls, done, take, told, failures, end } = await world(downFor(30_000))
    await clock.advance(10_000)
    await take(1)
    const joinedAt = calls.length
    await clock.advance(90_000)
    expect(done).toEqual(['0@0', '0@1', '1@0', '1@1', 'told 290'])
    expect([calls.length > joinedAt, failures]).toEqual([true, []])
    expect(
      told()
        .map(({ kind }) => kind)
        .at(-1),
    ).toBe('outage-ended')
    await end()
    await clock.advance(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('keeps no partition in outage when the order goes on without it', async () => {
    const { clock, driver, consumer, done, write, assigned, end } = await world(downFor(30_000))
    await clock.advance(10_000)
    const empty = await driver.assign('t', 1)
    await clock.advance(60_000)
    expect(consumer.facts().partitions.map(({ pausedBy }) => pausedBy)).toEqual([[], []])
    write(empty, [400], 0)
    write(assigned[0]!, [400], 3)
    await clock.advance(60_000)
    expect(done.filter((one) => one.startsWith('0'))).toEqual(['0@0', '0@1', '0@2'])
    await end()
  })
})

describe('onWatermark that takes long', () => {
  it('is told how far time has come meanwhile, although no record stands between', async () => {
    const { clock, calls, assigned, write, handled, end } = await world((at) =>
      at < 5 ? clock.sleep(5_000) : undefined,
    )
    await clock.advance(1_000)
    write(assigned[0]!, [303], 3)
    await clock.advance(60_000)
    expect(watermarksOf(calls)).toEqual([290, 293])
    expect(handled).toHaveLength(2)
    await end()
  })
})
