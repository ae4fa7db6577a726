import { beforeEach, describe, expect, it } from 'vitest'
import type { ConsumerSettings } from '../../../../src/driver/consumer.js'
import { createMemoryCluster, type MemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { noHeaders, type OutgoingRecord } from '../../../../src/message/record.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'
import { tries } from '../../../support/long-profile.js'

let clock: VirtualClock
let cluster: MemoryCluster

beforeEach(() => openCluster(1))

function openCluster(seed: number): void {
  clock = virtualClock()
  cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(seed) }, latencyMs: 1, failoverMs: 500 })
  cluster.createTopic('t', { partitions: 6 })
}

const outgoing = (value: string): OutgoingRecord => ({
  key: null,
  value: Buffer.from(value),
  headers: noHeaders,
  timestamp: 0,
})

/** Committed records; each call leaves a control batch behind them. */
const append = (topic: string, partition: number, count: number) =>
  cluster.appendTransaction(
    topic,
    partition,
    Array.from({ length: count }, (_, index) => outgoing(`${index}`)),
    'commit',
  )

let opened = 0
const member = (settings: Partial<ConsumerSettings> = {}) =>
  new ConsumerHarness(cluster.connectionFactory().open(`member-${(opened += 1)}`), clock, settings)

const all = [0, 1, 2, 3, 4, 5].map((partition) => `t-${partition}`)
const heldBy = (...members: ConsumerHarness[]) => members.flatMap((one) => one.held()).sort()
const shares = (...members: ConsumerHarness[]) => members.map((one) => one.held().length)

describe('members of one group', () => {
  it('share the partitions within one heartbeat and a little when a second and a third one come', async () => {
    const first = member()
    await first.start()
    expect(heldBy(first)).toEqual(all)
    const second = member()
    await second.start(1_100)
    await clock.advance(50)
    expect(heldBy(first, second)).toEqual(all)
    expect(shares(first, second)).toEqual([3, 3])
    const third = member()
    await third.start(1_100)
    await clock.advance(50)
    expect(heldBy(first, second, third)).toEqual(all)
    expect(shares(first, second, third)).toEqual([2, 2, 2])
    for (const one of [first, second, third]) await one.stop()
    await clock.runUntilIdle()
  })

  it('get what another one gives back, at once when it leaves in good order', async () => {
    const [first, second] = [member(), member()]
    await first.start()
    await second.start()
    await second.stop()
    await clock.advance(1_100)
    expect(heldBy(first)).toEqual(all)
    expect(first.kinds()).toEqual(['assigned', 'revoked', 'assigned', 'revoked', 'assigned'])
  })

  it('wait for the one that drains, and start where it committed', async () => {
    const first = member()
    await first.start()
    for (let partition = 0; partition < 6; partition += 1) append('t', partition, 4)
    let drainedAt = 0
    first.whenRevoked = async (partitions) => {
      await clock.sleep(3_000)
      const offsets = partitions.map((at) => ({ ...at, nextOffset: 2, metadata: '' }))
      const outcomes = await first.consumer.commit(offsets, clock.now() + 1_000)
      expect(new Set(outcomes)).toEqual(new Set(['committed']))
      drainedAt = clock.now()
    }
    const second = member()
    await second.start()
    expect(drainedAt).toBeGreaterThan(0)
    expect(clock.now()).toBeGreaterThanOrEqual(drainedAt)
    for (const { position, committed } of second.last('assigned')) {
      expect({ position, committed: committed?.offset }).toEqual({ position: 2, committed: 2 })
    }
    await clock.advance(300)
    expect(second.held().length).toBe(3)
    for (const { partition } of second.consumer.assignment()) expect(second.offsets('t', partition)).toEqual([2, 3])
  })

  it('go on without one whose drain never ends', async () => {
    const first = member()
    await first.start()
    first.whenRevoked = () => new Promise(() => undefined)
    const second = member()
    await second.start(15_000)
    await clock.advance(50)
    expect(heldBy(first, second)).toEqual(all)
  })

  it('cannot commit for a partition after the group threw them out', async () => {
    const [first, second] = [member(), member()]
    await first.start()
    await second.start()
    await clock.advance(50)
    const stale = first.consumer.assignment().map((at) => ({ ...at, nextOffset: 5, metadata: '' }))
    const id = first.consumer.facts().memberId ?? ''
    expect(cluster.faults.killMember('g', id)).toBe(true)
    const outcomes = await clock.runUntil(first.consumer.commit(stale, clock.now() + 2_000))
    expect(new Set(outcomes)).toEqual(new Set(['lost']))
    await clock.advance(5_000)
    expect(first.kinds()).toContain('lost')
    expect(first.consumer.facts().memberId).not.toBe(id)
    expect(heldBy(first, second)).toEqual(all)
    expect(cluster.committed('g')).toEqual([])
  })

  it('keep their partitions while the coordinator moves', async () => {
    const first = member()
    await first.start()
    cluster.faults.moveCoordinator('g')
    await clock.advance(8_000)
    const offsets = first.consumer.assignment().map((at) => ({ ...at, nextOffset: 0, metadata: 'm' }))
    const outcomes = await clock.runUntil(first.consumer.commit(offsets, clock.now() + 2_000))
    expect(new Set(outcomes)).toEqual(new Set(['committed']))
    expect(first.kinds()).toEqual(['assigned'])
  })

  it('come back together when the broker that coordinated them dies', async () => {
    const [first, second] = [member(), member()]
    await first.start()
    await second.start()
    for (let partition = 0; partition < 6; partition += 1) append('t', partition, 2)
    cluster.faults.stopBroker(cluster.coordinatorOf('g'))
    await clock.advance(20_000)
    expect(heldBy(first, second)).toEqual(all)
    for (let partition = 0; partition < 6; partition += 1) {
      expect([...first.offsets('t', partition), ...second.offsets('t', partition)]).toEqual(
        expect.arrayContaining([0, 1]),
      )
    }
  })

  it('only get topics they subscribed to', async () => {
    cluster.createTopic('u', { partitions: 4 })
    for (const assignor of ['sticky', 'range', 'roundrobin', 'kafkajs-roundrobin'] as const) {
      const common = { assignors: [assignor], groupId: assignor }
      const [narrow, wide] = [member({ ...common, topics: ['t'] }), member({ ...common, topics: ['t', 'u'] })]
      await narrow.start()
      await wide.start()
      await clock.advance(1_200)
      expect(narrow.held().filter((key) => key.startsWith('u'))).toEqual([])
      expect(heldBy(narrow, wide)).toEqual([...all, 'u-0', 'u-1', 'u-2', 'u-3'])
      await narrow.stop()
      await wide.stop()
    }
  })

  it('move few partitions under sticky when one leaves', async () => {
    const [first, second, third] = [0, 1, 2].map(() => member({ assignors: ['sticky'] })) as [
      ConsumerHarness,
      ConsumerHarness,
      ConsumerHarness,
    ]
    for (const one of [first, second, third]) await one.start()
    await clock.advance(1_200)
    const [before1, before2] = [first.held(), second.held()]
    await third.stop()
    await clock.advance(1_500)
    expect(first.held()).toEqual(expect.arrayContaining(before1))
    expect(second.held()).toEqual(expect.arrayContaining(before2))
    expect(heldBy(first, second)).toEqual(all)
  })
})

describe('static members', () => {
  it('come back within the session to their partitions without anyone else noticing', async () => {
    const other = member({ groupInstanceId: 'a' })
    const old = member({ groupInstanceId: 'b' })
    await other.start()
    await old.start()
    await clock.advance(1_200)
    const [held, told] = [old.held(), other.news.length]
    await old.stop()
    await clock.advance(3_000)
    const again = member({ groupInstanceId: 'b' })
    await again.start()
    await clock.advance(3_000)
    expect(again.held()).toEqual(held)
    expect(other.news.length).toBe(told)
  })

  it('whose sessions end while nobody answers come back by themselves', async () => {
    const one = member({ groupInstanceId: 'a', assignors: ['cooperative-sticky'] })
    await one.start()
    for (const broker of [0, 1, 2]) cluster.faults.silence(broker, 12_000)
    await clock.advance(20_000)
    expect(one.kinds()).toEqual(['assigned', 'lost', 'assigned'])
    expect(heldBy(one)).toEqual(all)
  })

  it('end with a clear error when another process takes their id', async () => {
    const first = member({ groupInstanceId: 'same' })
    await first.start()
    const second = member({ groupInstanceId: 'same' })
    await second.start()
    await clock.advance(2_000)
    expect(first.kinds().slice(-2)).toEqual(['lost', 'failed'])
    expect(first.news.at(-1)).toMatchObject({ error: { name: 'FencedError', code: 'fenced-instance-id' } })
    expect(heldBy(second)).toEqual(all)
    await first.stop()
    expect(heldBy(second)).toEqual(all)
  })
})

describe('logs as they are', () => {
  it('shows no aborted record, no control batch and nothing of an open transaction under read-committed', async () => {
    cluster.appendTransaction('t', 0, [outgoing('a')], 'abort')
    append('t', 0, 2)
    const { producerId } = cluster.appendTransaction('t', 0, [outgoing('b')], 'open')
    append('t', 0, 1)
    const committedOnly = member({ groupId: null })
    const everything = member({ groupId: null, isolation: 'read-uncommitted' })
    await committedOnly.start()
    await everything.start()
    await clock.advance(600)
    expect(committedOnly.offsets()).toEqual([2, 3])
    expect(everything.offsets()).toEqual([0, 2, 3, 5, 6])
    cluster.endTransaction('t', 0, producerId, 'abort')
    await clock.advance(600)
    expect(committedOnly.offsets()).toEqual([2, 3, 6])
  })

  it('reads past holes and tells the next offset behind them', async () => {
    append('t', 0, 5)
    cluster.compact('t', 0, ({ offset }) => offset === 1)
    const reader = member({ groupId: null })
    await reader.start()
    await clock.advance(300)
    expect(reader.offsets()).toEqual([1])
    expect(reader.fetched.findLast(({ partition }) => partition === 0)?.nextOffset).toBe(6)
  })

  it('follows a leader that moves, record for record', async () => {
    const reader = member({ groupId: null })
    await reader.start()
    for (let round = 0; round < 6; round += 1) {
      append('t', 0, 2)
      cluster.faults.moveLeader('t', 0)
      await clock.advance(400)
    }
    await clock.advance(3_000)
    expect(reader.offsets()).toEqual(
      Array.from({ length: 18 }, (_, offset) => offset).filter((offset) => offset % 3 < 2),
    )
  })
})

describe('under faults by chance', () => {
  /** Commits what it read, every second and at the drain, as far as it is still allowed to. */
  function committing(one: ConsumerHarness, handled: Set<string>): ConsumerHarness {
    const next = new Map<string, { epoch: number; partition: number; nextOffset: number }>()
    one.whenRecords = ({ epoch, partition, batches, nextOffset }) => {
      for (const { offset } of batches.flatMap((batch) => batch.decode())) handled.add(`${partition}-${offset}`)
      next.set(`${partition}`, { epoch, partition, nextOffset })
    }
    const commit = async (deadline: number) => {
      const offsets = [...next.values()].map((at) => ({ ...at, topic: 't', metadata: '' }))
      const outcomes = await one.consumer.commit(offsets, deadline)
      expect(outcomes).toHaveLength(offsets.length)
    }
    one.whenRevoked = (_, deadline) => commit(deadline)
    const tick = () => {
      if (one.consumer.facts().state === 'stopped') return
      void commit(clock.now() + 900)
      clock.setTimer(1_000, tick)
    }
    clock.setTimer(1_000, tick)
    return one
  }

  it.each(Array.from({ length: tries(6, 100) }, (_, seed) => seed))(
    'reads everything and never commits what it has not read (seed %i)',
    async (seed) => {
      openCluster(seed)
      const random = seededRandom(seed)
      const handled = new Set<string>()
      cluster.faults.random({ random, loseRequest: 0.02, loseAnswer: 0.02, delay: 0.05, maxDelayMs: 300, hold: 0.01, maxHoldMs: 8_000 }) // prettier-ignore
      const settings = { assignors: ['sticky'], requestTimeoutMs: 2_000 } as const
      const members = [0, 1, 2].map(() => committing(member(settings), handled))
      for (const one of members) one.consumer.start(clock.now() + 600_000).catch(() => undefined)
      for (let round = 0; round < 30; round += 1) {
        append('t', Math.floor(random.next() * 6), 3)
        const dice = random.next()
        if (dice < 0.1) cluster.faults.killMember('g', 'any')
        else if (dice < 0.2) cluster.faults.moveCoordinator('g')
        else if (dice < 0.4) cluster.faults.moveLeader('t', Math.floor(random.next() * 6))
        else if (dice < 0.5) cluster.faults.silence(Math.floor(random.next() * 3), 3_000)
        else if (dice < 0.6) members.push(committing(member(settings), handled))
        if (dice >= 0.5 && dice < 0.6)
          members
            .at(-1)
            ?.consumer.start(clock.now() + 600_000)
            .catch(() => undefined)
        if (dice >= 0.6 && dice < 0.7 && members.length > 2) {
          const leaver = members.shift()
          leaver?.consumer.stop(clock.now() + 3_000).catch(() => undefined)
        }
        await clock.advance(1_000)
        for (const { partition, offset } of cluster.committed('g')) {
          for (const { offset: stored } of cluster.records('t', partition)) {
            if (stored < offset) expect(handled).toContain(`${partition}-${stored}`)
          }
        }
      }
      const injected = Object.values(cluster.faults.injected()).reduce((sum, count) => sum + count, 0)
      expect(injected).toBeGreaterThanOrEqual(20)
      cluster.faults.clear()
      cluster.faults.random(null)
      await clock.advance(60_000)
      expect(heldBy(...members)).toEqual(all)
      for (const partition of [0, 1, 2, 3, 4, 5]) {
        for (const { offset } of cluster.records('t', partition)) expect(handled).toContain(`${partition}-${offset}`)
      }
      for (const one of members) expect(one.kinds()).not.toContain('failed')
      for (const one of members) await one.stop()
      await cluster.close()
    },
  )
})
