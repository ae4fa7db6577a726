import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { leftOutOf } from '../../../../src/protocol/fetch/left-out.js'
import { EndOffsets } from '../../../../src/protocol/offsets/end-offsets.js'
import { ScriptedCluster } from '../cluster/scripted-cluster.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

const t0 = { topic: 't', partition: 0 }
const t1 = { topic: 't', partition: 1 }
const t2 = { topic: 't', partition: 2 }
let clock: VirtualClock
let cluster: ScriptedCluster

/** Partitions 0 and 1 on broker 1, partition 2 on broker 2; three records each. */
beforeEach(() => {
  clock = virtualClock()
  cluster = new ScriptedCluster(clock)
  for (const partition of [0, 1, 2]) cluster.append('t', partition, 3)
  cluster.log('t', 2).leader = 2
})

async function reading(settings: ConstructorParameters<typeof ConsumerHarness>[2] = {}) {
  const harness = new ConsumerHarness(cluster, clock, { groupId: null, ...settings })
  await harness.start()
  await clock.advance(100)
  return harness
}

const asked = () => cluster.count('listOffsets')
const ageOf = (harness: ConsumerHarness, at: typeof t0) => clock.now() - (harness.consumer.endOf(at)?.at ?? 0)

describe('the end of a log', () => {
  it('is told by fetches, also by those that bring nothing, and then never asked for', async () => {
    const { consumer } = await reading()
    const before = asked()
    expect(consumer.endOf(t0)?.offset).toBe(3)
    await clock.advance(60_000)
    expect(clock.now() - (consumer.endOf(t0)?.at ?? 0)).toBeLessThan(600)
    cluster.append('t', 0, 2)
    await clock.advance(600)
    expect(consumer.endOf(t0)?.offset).toBe(5)
    expect(asked()).toBe(before)
  })

  it('of paused partitions is asked for, each broker once, and is never older than ten seconds', async () => {
    const harness = await reading()
    for (const at of [t0, t1, t2]) harness.consumer.pause(at)
    await clock.advance(1_000)
    const before = asked()
    for (const partition of [0, 1, 2]) cluster.append('t', partition, 1_000)
    for (let second = 0; second < 60; second += 1) {
      await clock.advance(1_000)
      for (const at of [t0, t1, t2]) expect(ageOf(harness, at)).toBeLessThan(10_000)
    }
    for (const at of [t0, t1, t2]) expect(harness.consumer.endOf(at)?.offset).toBe(1_003)
    expect(asked() - before).toBeGreaterThanOrEqual(2 * 6)
    expect(asked() - before).toBeLessThanOrEqual(2 * 12)
    harness.consumer.resume(t0)
    await clock.advance(1_000)
    expect(ageOf(harness, t0)).toBeLessThan(600)
  })

  it('is known when start resolves, also of what is paused or brings nothing; a broker that does not tell holds it up no longer than a request', async () => {
    cluster.on('fetch', () => 'silence')
    const { consumer } = await reading()
    for (const at of [t0, t1, t2]) expect(consumer.endOf(at)?.offset).toBe(3)

    cluster.on('listOffsets', (_, node) => (node === 2 ? 'silence' : 'usual'))
    const started = clock.now()
    const other = new ConsumerHarness(cluster, clock, { groupId: null, from: 'earliest', requestTimeoutMs: 2_000 })
    await other.start()
    expect(clock.now() - started).toBeLessThan(5_000)
    expect([t0, t2].map((at) => other.consumer.endOf(at)?.offset)).toEqual([3, undefined])
  })

  it('that a broker does not tell shows its age; other brokers are not held up', async () => {
    const harness = await reading()
    cluster.on('fetch', (_, node) => (node === 2 ? 'silence' : 'usual'))
    cluster.on('listOffsets', (_, node) => (node === 2 ? 'silence' : 'usual'))
    await clock.advance(60_000)
    expect(ageOf(harness, t2)).toBeGreaterThan(58_000)
    expect(ageOf(harness, t0)).toBeLessThan(600)
  })

  it('under read-committed is the end of what may be read', async () => {
    cluster.on('fetch', (request) => ({
      throttleTimeMs: 0,
      errorCode: 0,
      partitions: request.partitions.map((at) => ({
        topic: at.topic,
        partition: at.partition,
        errorCode: 0,
        highWatermark: 10,
        lastStableOffset: 4,
        logStartOffset: 0,
        abortedTransactions: [],
        batches: [],
        unreadable: null,
        sizeBytes: 0,
      })),
    }))
    const committed = await reading({ isolation: 'read-committed' })
    const everything = await reading({ isolation: 'read-uncommitted' })
    expect(committed.consumer.endOf(t0)?.offset).toBe(4)
    expect(everything.consumer.endOf(t0)?.offset).toBe(10)
  })

  it('is asked for where answers do not tell it, and is never one that no log has', async () => {
    cluster.on('fetch', async ({ partitions, maxWaitMs }) => {
      await clock.sleep(maxWaitMs)
      const silent = partitions.map(({ topic, partition }) => ({
        ...{ topic, partition, errorCode: 0, highWatermark: -1, lastStableOffset: -1, logStartOffset: -1 },
        ...{ abortedTransactions: [], batches: [], unreadable: null, sizeBytes: 0 },
      }))
      return { throttleTimeMs: 0, errorCode: 0, partitions: silent }
    })
    for (const isolation of ['read-committed', 'read-uncommitted'] as const) {
      const harness = await reading({ isolation })
      await clock.advance(60_000)
      expect(harness.consumer.endOf(t0)?.offset).toBe(3)
      expect(ageOf(harness, t0)).toBeLessThan(10_000)
    }
  })

  it('that was asked for does not take back what a fetch told meanwhile', async () => {
    const harness = await reading()
    harness.consumer.pause(t0)
    const before = asked()
    cluster.on('listOffsets', async ({ partitions }) => {
      const old = partitions.map((at) => ({ ...at, errorCode: brokerCode.NONE, offset: 3, leaderEpoch: -1 }))
      await clock.sleep(3_000)
      return { throttleTimeMs: 0, partitions: old }
    })
    await clock.runUntil(() => asked() > before)
    cluster.append('t', 0, 5)
    harness.consumer.resume(t0)
    await clock.advance(1_000)
    expect(harness.consumer.endOf(t0)?.offset).toBe(8)
    harness.consumer.pause(t0)
    await clock.advance(2_500)
    expect(harness.consumer.endOf(t0)?.offset).toBe(8)
  })

  it('is asked for no more, and no timer is left, when nothing is held', async () => {
    const harness = await reading({ groupId: 'g' })
    harness.consumer.pause(t0)
    await harness.stop()
    const before = asked()
    await clock.runUntilIdle()
    expect(asked()).toBe(before)
  })
})

describe('the ends of logs that stand still', () => {
  it('are as old as the last answer that left them out, each also when another was told apart meanwhile', async () => {
    const ends = new EndOffsets({ runtime: { clock }, settings: { isolation: 'read-uncommitted' } } as never)
    const seen = (partition: number) => ends.seen({ topic: 't', partition, highWatermark: 5 } as never, 'leader')
    const asked = (node = 1) =>
      new Map([0, 1, 2].map((partition) => [`t-${partition}`, { node, leader: { leader: 1 } }])) as never
    const answered = (all: never, ...told: readonly number[]) => {
      const partitions = told.map((partition) => ({ topic: 't', partition })) as never
      const leftOut = leftOutOf(all, { partitions, sessionId: 7, throttleTimeMs: 0 })
      if (leftOut !== null) ends.stand(leftOut)
    }
    const ages = () => [0, 1, 2].map((partition) => clock.now() - (ends.of({ topic: 't', partition })?.at ?? 0))
    const all = asked()
    for (const partition of [0, 1, 2]) seen(partition)
    for (let round = 0; round < 2; round += 1) {
      await clock.advance(500)
      answered(all)
      expect(ages()).toEqual([0, 0, 0])
    }
    // Refused, so nothing is known of where it ends now.
    await clock.advance(500)
    answered(all, 1)
    expect(ages()).toEqual([0, 500, 0])
    await clock.advance(500)
    answered(all)
    seen(2)
    await clock.advance(100)
    expect(ages()).toEqual([100, 100, 100])
    answered(all)
    expect(ages()).toEqual([0, 0, 0])
    // What is asked of a follower it may not have copied.
    await clock.advance(500)
    answered(asked(2))
    expect(ages()).toEqual([500, 500, 500])
  })
})

describe('what an open transaction has written', () => {
  const told = (lastStableOffset: number, highWatermark: number) =>
    ({ ...t0, lastStableOffset, highWatermark }) as never
  const endsOf = (isolation: string) => new EndOffsets({ runtime: { clock }, settings: { isolation } } as never)

  it('is told beside the end of what may be read, by the leader and by a follower, until the transaction is over', () => {
    const ends = endsOf('read-committed')
    const stored = () => [ends.of(t0)?.offset, ends.of(t0)?.stored]
    ends.seen(told(3, 5), 'leader')
    expect(stored()).toEqual([3, 5])
    ends.seen(told(3, 7), 'follower')
    expect(stored()).toEqual([3, 7])
    ends.seen(told(8, 8), 'follower')
    expect(stored()).toEqual([8, undefined])
    ends.seen(told(2, 2), 'follower')
    expect(stored()).toEqual([8, undefined])
    ends.seen(told(8, 9), 'leader')
    ends.seen(told(10, 10), 'leader')
    expect(stored()).toEqual([10, undefined])
  })

  it('is the end itself for whoever reads what is not committed', () => {
    const ends = endsOf('read-uncommitted')
    ends.seen(told(3, 5), 'leader')
    expect(ends.of(t0)).toEqual({ offset: 5, at: clock.now() })
  })
})
