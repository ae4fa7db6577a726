import { describe, expect, it } from 'vitest'
import { bytes, defineTopic, type Message } from 'tidemark'
import { boundedOutOfOrderness } from 'tidemark/event-time'
import { encodeCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import { leaderEpochsOf, leaderEpochsText } from '../../../src/offsets/leader-epochs.js'
import { decodeOrderSnapshot, orderOf, orderSection, type OrderSnapshot } from '../../../src/offsets/order-snapshot.js'
import { orderedBy } from '../../../src/reorder/sequencer.js'
import { setUp } from '../consumer/consumer-setup.js'
import { record } from '../consumer/fake-driver.js'
import { simulated, until } from '../consumer/simulated.js'
import { day, inOrder, putTimes } from './reading.js'
import { World } from './worlds.js'

const through = (timestamp: number, position: number, maxTimestamp: number): OrderSnapshot => ({
  threshold: { timestamp, place: null },
  position,
  maxTimestamp,
})

describe('what a commit keeps of the order', () => {
  it('is as it was when it is read again, and nothing where it is from elsewhere', () => {
    const place = { topic: 'a.b-c_d', partition: 3, offset: 9 }
    for (const snapshot of [
      through(-5, 0, 7),
      { threshold: { timestamp: day, place }, position: 12, maxTimestamp: null },
    ])
      expect(orderOf(encodeCommitMetadata([orderSection(snapshot)]))).toEqual(snapshot)
    expect([orderOf(null), orderOf('someone else'), orderOf(encodeCommitMetadata([]))]).toEqual([
      'none',
      'none',
      'none',
    ])
    const foreign = { name: 'o', fit: () => '2;5' }
    expect(orderOf(encodeCommitMetadata([foreign]))).toBe('foreign')
    expect(decodeOrderSnapshot('1,2,3,4,5,no topic')).toBeNull()
  })

  it('names the leaders of all that it says is done', () => {
    const metadata = encodeCommitMetadata([
      leaderEpochsText(5, [{ from: 0, to: 20, leaderEpoch: 4 }]),
      orderSection(through(day, 12, day)),
    ])
    expect(leaderEpochsOf({ offset: 5, metadata })).toEqual([{ from: 0, to: 12, leaderEpoch: 4 }])
  })

  it('is there as soon as something is done beyond the committed offset', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      cluster.createTopic('t', { partitions: 2 })
      putTimes(cluster, 0, [300, 100, 500])
      putTimes(cluster, 1, [310])
      const watermark = boundedOutOfOrderness(100).withIdleness({ maxIdleMs: Infinity })
      const one = await inOrder(simulation, 'one', { reorder: { watermark } })
      await until(simulation, () => one.handled.length === 1)
      await clock.sleep(2_000)
      const [first] = cluster.committed('g').filter(({ partition }) => partition === 0)
      expect(first?.offset).toBe(0)
      expect(orderOf(first?.metadata ?? null)).toEqual(through(day + 209, 4, day + 500))
      await one.messaging.close()
    }))

  it('passes after a restart what was done, and holds the watermark until it has come as far as before', async () => {
    const handled: number[] = []
    const late: number[] = []
    const strategy = boundedOutOfOrderness(100).withFutureGuard(false).withIdleness({ maxIdleMs: Infinity })
    const buffer = { maxRecords: 1_000, maxBytes: 1e9, maxRecordsPerPartition: 1_000, maxUncommittedSpan: 1_000 }
    const ordering = orderedBy({
      watermark: strategy,
      order: 'combined',
      lateness: 'combined',
      late: { policy: 'deliver' },
      buffer: { ...buffer, whenFull: 'emit-early' },
      onShutdown: 'discard',
    })
    const handle = ({ offset }: Message, { order }: { order: { late: unknown } | null }) => {
      handled.push(offset)
      if (order?.late !== null) late.push(offset)
    }
    const { clock, driver, consumer } = setUp({ handle }, { ordering })
    await clock.runUntil(consumer.start())
    const metadata = encodeCommitMetadata([orderSection(through(1_000, 4, 1_500))])
    const assigned = await driver.assign('t', 0, { committed: { offset: 0, metadata } })
    const at = (offset: number, timestamp: number) => ({ ...record(offset), timestamp })
    // Offset 2 was in the buffer when the process died, with the greatest time so far before it.
    driver.deliver(assigned, [at(0, 900), at(1, 1_500), at(2, 1_420), at(3, 1_000)])
    await clock.advance(100)
    expect([handled, consumer.facts().order?.replayed]).toEqual([[], 2])
    driver.deliver(assigned, [at(4, 1_700)])
    await clock.advance(100)
    expect([handled, late]).toEqual([[2, 1], []])
    consumer.stop({ timeoutMs: 0, force: true }).catch(() => undefined)
  })

  it('of a partition that stopped tells nothing of what others did later: its next reader has all of it', () =>
    simulated(async (simulation) => {
      const { cluster, clock } = simulation
      const handled: string[] = []
      cluster.createTopic('t', { partitions: 2 })
      putTimes(cluster, 0, [100, 300, 5_000, 9_000])
      putTimes(cluster, 1, [50, 200, 400])
      const handle = ({ value }: Message<string>) => {
        handled.push(value)
        if (value === '1@200') throw new Error('no')
      }
      const one = await inOrder(simulation, 'one', { handle, retry: false })
      // Once the other stands alone it goes on at once, before what was done here is committed.
      await until(simulation, () => one.stopped.length === 1 && handled.includes('0@5000'))
      await clock.sleep(3_000)
      expect(cluster.committed('g').find(({ partition }) => partition === 1)?.offset).toBe(1)
      one.process.crash()
      const two = await inOrder(simulation, 'two')
      await clock.sleep(12_000)
      expect(two.values()).toEqual(expect.arrayContaining(['1@200', '1@400']))
      await two.messaging.close()
    }))
})

describe('a record in hand', () => {
  it('is not told as done when another partition came meanwhile and time went on', () => {
    const strategy = boundedOutOfOrderness(10).withFutureGuard(false).withIdleness({ maxIdleMs: Infinity })
    const world = new World(1, strategy)
    const at = (partition: number, offset: number, timestamp: number) => ({ partition, offset, timestamp })
    for (const record of [at(0, 0, 100), at(0, 1, 200)]) world.push(record)
    world.buffer.release()
    const [inHand] = world.buffer.take()
    world.assign(1)
    for (const record of [at(1, 0, 150), at(1, 1, 400), at(0, 2, 500)]) world.feed(record)
    expect(world.onTime.map(({ timestamp }) => timestamp)).toEqual([150, 200])
    expect([world.snapshot(0), world.snapshot(1)]).toEqual([null, null])
    world.buffer.done(inHand!)
    expect(world.snapshot(0)?.threshold).toEqual({ timestamp: 389, place: null })
  })
})

describe('a time that was made up', () => {
  const guarded = boundedOutOfOrderness(10).withIdleness({ maxIdleMs: Infinity }).withFutureGuard({ maxFutureMs: 100 })
  const at = (offset: number, timestamp: number) => ({ partition: 0, offset, timestamp })
  /** Read again from the start by another process, whose clock shows that time. */
  const again = (world: World, now: number) => {
    const next = new World(0, guarded, {}, now)
    next.assign(0, 0, world.snapshot(0))
    return next
  }
  const offsets = (world: World) => [...world.onTime, ...world.late].map(({ offset }) => offset)

  it('passes nothing by: a record that was believed is kept, also where the clock was set back meanwhile', () => {
    const world = new World(1, guarded, {}, 1_000)
    for (const record of [at(0, 1_000), at(1, 1_090), at(2, 1_000), at(3, 1_000)]) world.feed(record)
    expect(offsets(world)).toEqual([0, 2, 3])
    const next = again(world, 500)
    for (const record of [at(0, 1_000), at(1, 1_090), at(2, 1_000), at(3, 1_000)]) next.feed(record)
    next.buffer.endOfInput()
    next.handleAll()
    expect(offsets(next)).toContain(1)
  })

  it('nor a record that was not believed, and is now', () => {
    const world = new World(1, guarded, {}, 1_000)
    world.feed(at(0, 1_100))
    world.buffer.tick(1_000, 500)
    for (const record of [at(1, 1_080), at(2, 1_000)]) world.feed(record)
    expect(world.onTime).toEqual([])
    world.buffer.tick(1_000, 1_000)
    for (const record of [at(3, 1_095)]) world.feed(record)
    const next = again(world, 1_000)
    for (const record of [at(0, 1_100), at(1, 1_080), at(2, 1_000), at(3, 1_095)]) next.feed(record)
    next.buffer.endOfInput()
    next.handleAll()
    expect(offsets(next).sort()).toEqual(expect.arrayContaining([0, 1, 3]))
  })
})

describe('what is kept back', () => {
  it('keeps its own bytes in memory and no answer of a broker', () =>
    simulated(async (simulation) => {
      simulation.cluster.createTopic('t')
      putTimes(simulation.cluster, 0, [100, 200, 300])
      const raw = defineTopic({ name: 't', value: bytes() })
      const sizes: number[] = []
      const one = await inOrder(simulation, 'one', {
        topics: [raw],
        handle: ({ value }: Message<Buffer>) => void sizes.push(value.buffer.byteLength),
      })
      await until(simulation, () => sizes.length === 3)
      expect(sizes).toEqual([15, 15, 15])
      await one.messaging.close()
    }))
})
