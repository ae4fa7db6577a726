import { beforeEach, describe, expect, it } from 'vitest'
import type { AssignedPartition, ConsumerSettings } from '../../../../src/driver/consumer.js'
import { createMemoryCluster, type MemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

let clock: VirtualClock
let cluster: MemoryCluster
let opened: number

beforeEach(() => {
  clock = virtualClock()
  cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(1) }, latencyMs: 1, failoverMs: 500 })
  cluster.createTopic('t', { partitions: 2 })
  opened = 0
})

const divided = { groupProtocol: 'consumer' } as const

/** Heartbeat 1 s, session 10 s, rebalance 20 s: a rebalance leaves a drain 11 s. */
const rebalanceDrainMs = 20_000 * 0.6 - 1_000

function member(settings: Partial<ConsumerSettings> = {}) {
  const connection = cluster.connectionFactory().open(`member-${(opened += 1)}`)
  return new ConsumerHarness(connection, clock, settings, opened)
}

/** A member whose drain goes on until the latest deadline it was given, then commits; with the deadlines it was given. */
async function slowMember(settings: Partial<ConsumerSettings> = {}) {
  const slow = member(settings)
  const deadlines: number[] = []
  const outcomes: string[] = []
  slow.whenRevoked = async (partitions: readonly AssignedPartition[], deadline: number) => {
    deadlines.push(deadline)
    const isFirst = deadlines.length === 1
    while (clock.now() < Math.min(...deadlines) - 100) await clock.sleep(10)
    if (!isFirst) return
    const offsets = partitions.map((at) => ({ ...at, nextOffset: at.position, metadata: 'drained' }))
    outcomes.push(...(await slow.consumer.commit(offsets, Math.min(...deadlines))))
  }
  await slow.start()
  return { slow, deadlines, outcomes }
}

describe('a member that stops', () => {
  it('while it asks how many partitions there are waits for no answer', async () => {
    const { consumer } = member({ from: 'latest', requestTimeoutMs: 30_000 })
    const started = expect(consumer.start(clock.now() + 60_000)).rejects.toMatchObject({ code: 'stopped' })
    await clock.runUntil(() => consumer.facts().state === 'finding-coordinator')
    for (let i = 0; i < 1_000; i += 1) cluster.faults.loseNextRequest({ api: 'metadata' })
    await clock.advance(5_000)
    const begun = clock.now()
    await clock.runUntil(consumer.stop(begun + 60_000))
    await started
    expect([clock.now() - begun < 100, clock.pendingTimers]).toEqual([true, 0])
  })

  it('while the group rebalances ends its drain by the rebalance, commits under the old generation and never joins again', async () => {
    const { slow, deadlines, outcomes } = await slowMember()
    const stopped = slow.consumer.stop(clock.now() + 100_000)
    await clock.advance(500)
    const newcomer = member()
    const begun = clock.now()
    await newcomer.start()
    expect(clock.now() - begun).toBeLessThan(rebalanceDrainMs + 1_500)
    await clock.runUntil(stopped)
    expect(deadlines).toHaveLength(2)
    expect((deadlines[1] ?? Infinity) - begun).toBeLessThanOrEqual(rebalanceDrainMs + 1_100)
    expect(outcomes).toEqual(['committed', 'committed'])
    expect(slow.kinds()).toEqual(['assigned', 'revoked', 'revoked'])
    expect(newcomer.held()).toEqual(['t-0', 't-1'])
    expect(newcomer.last('assigned').map(({ committed }) => committed?.metadata)).toEqual(['drained', 'drained'])
  })

  it('while it drains for a rebalance leaves after that drain, by the earlier of both deadlines', async () => {
    const { slow, deadlines, outcomes } = await slowMember()
    const newcomer = member()
    const joined = newcomer.consumer.start(clock.now() + 60_000)
    await clock.runUntil(() => deadlines.length === 1)
    const begun = clock.now()
    await clock.runUntil(slow.consumer.stop(begun + 3_000))
    expect(clock.now() - begun).toBeLessThanOrEqual(3_000)
    await clock.runUntil(joined)
    expect(outcomes).toEqual(['committed', 'committed'])
    expect(slow.consumer.facts().state).toBe('stopped')
    expect(newcomer.held()).toEqual(['t-0', 't-1'])
    expect(clock.now() - begun).toBeLessThanOrEqual(4_200)
  })

  it.each([
    { who: 'classic member', settings: {}, leaves: undefined, handsOver: true },
    { who: 'classic member', settings: {}, leaves: false, handsOver: false },
    { who: 'static classic member', settings: { groupInstanceId: 'i' }, leaves: undefined, handsOver: false },
    { who: 'static classic member', settings: { groupInstanceId: 'i' }, leaves: true, handsOver: true },
    { who: 'consumer member', settings: divided, leaves: undefined, handsOver: true },
    { who: 'consumer member', settings: divided, leaves: false, handsOver: false },
    {
      who: 'static consumer member',
      settings: { ...divided, groupInstanceId: 'i' },
      leaves: undefined,
      handsOver: false,
    },
    { who: 'static consumer member', settings: { ...divided, groupInstanceId: 'i' }, leaves: true, handsOver: true },
  ])('as a $who with leavesGroup $leaves hands over at once: $handsOver', async ({ settings, leaves, handsOver }) => {
    const groupProtocol = 'groupProtocol' in settings ? settings.groupProtocol : 'classic'
    const other = member({ groupProtocol, sessionTimeoutMs: 45_000 })
    const leaving = member({ ...settings, leavesGroup: leaves, sessionTimeoutMs: 45_000 })
    await other.start()
    await leaving.start()
    await clock.advance(12_000)
    expect([other.held().length, leaving.held().length]).toEqual([1, 1])
    await leaving.stop()
    await clock.advance(11_000)
    expect(other.held()).toHaveLength(handsOver ? 2 : 1)
    await clock.advance(45_000)
    expect(other.held()).toHaveLength(2)
    await other.stop()
  })

  it('and is told to stop sooner does so', async () => {
    const { slow, deadlines } = await slowMember()
    const first = slow.consumer.stop(clock.now() + 100_000)
    await clock.advance(1_000)
    const begun = clock.now()
    await clock.runUntil(slow.consumer.stop(begun + 2_000))
    await clock.runUntil(first)
    expect(clock.now() - begun).toBeLessThanOrEqual(2_000)
    expect(deadlines).toHaveLength(2)
    expect(cluster.committed('g')).toHaveLength(2)
  })

  it('and is told to stop at once while its drain never ends does so, without a timer left', async () => {
    const slow = member()
    slow.whenRevoked = () => new Promise(() => undefined)
    await slow.start()
    const first = slow.consumer.stop(clock.now() + 100_000)
    await clock.advance(1_000)
    const begun = clock.now()
    await clock.runUntil(slow.consumer.stop(begun))
    await clock.runUntil(first)
    expect(clock.now() - begun).toBeLessThanOrEqual(1)
    await clock.runUntilIdle()
  })

  it('and is thrown out of the group meanwhile loses everything at once and is gone', async () => {
    const { slow, outcomes } = await slowMember()
    const stopped = slow.consumer.stop(clock.now() + 100_000)
    await clock.advance(500)
    const begun = clock.now()
    cluster.faults.killMember('g', slow.consumer.facts().memberId ?? '')
    await clock.runUntil(stopped)
    expect(clock.now() - begun).toBeLessThan(1_500)
    expect(slow.kinds()).toEqual(['assigned', 'revoked', 'lost'])
    expect(outcomes).toEqual([])
    expect(slow.held()).toEqual([])
  })

  it('keeps its place by heartbeats for as long as its drain takes', async () => {
    const { slow, outcomes } = await slowMember()
    await clock.runUntil(slow.consumer.stop(clock.now() + 60_000))
    expect(outcomes).toEqual(['committed', 'committed'])
    expect(slow.kinds()).toEqual(['assigned', 'revoked'])
  })

  it.each([
    { what: 'the coordinator has moved', disturb: () => cluster.faults.moveCoordinator('g') },
    { what: 'the answer is lost', disturb: () => cluster.faults.loseNextAnswer({ api: 'leaveGroup' }) },
    { what: 'the request is lost', disturb: () => cluster.faults.loseNextRequest({ api: 'leaveGroup' }) },
  ])('leaves although $what, so that nobody waits until its session is over', async ({ disturb }) => {
    const leaving = member({ sessionTimeoutMs: 45_000, requestTimeoutMs: 5_000 })
    await leaving.start()
    disturb()
    const begun = clock.now()
    await clock.runUntil(leaving.consumer.stop(begun + 30_000))
    expect(clock.now() - begun).toBeLessThan(5_500)
    const next = member()
    await next.start()
    expect(next.held()).toEqual(['t-0', 't-1'])
    expect(clock.now() - begun).toBeLessThan(10_000)
  })

  it('without a group is told to stop sooner as well', async () => {
    const { slow, deadlines } = await slowMember({ groupId: null })
    const first = slow.consumer.stop(clock.now() + 100_000)
    await clock.advance(1_000)
    const begun = clock.now()
    await clock.runUntil(slow.consumer.stop(begun + 2_000))
    await clock.runUntil(first)
    expect(clock.now() - begun).toBeLessThanOrEqual(2_000)
    expect(deadlines).toHaveLength(2)
  })
})

describe('a member that lost its partitions in the middle of a drain', () => {
  it('is not held up by that drain when it must give up what it was assigned since', async () => {
    const slow = member()
    slow.whenRevoked = () => new Promise(() => undefined)
    await slow.start()
    const second = member()
    second.consumer.start(clock.now() + 60_000).catch(() => undefined)
    await clock.runUntil(() => slow.kinds().includes('revoked'))
    cluster.faults.killMember('g', slow.consumer.facts().memberId ?? '')
    await clock.runUntil(() => slow.kinds().filter((kind) => kind === 'assigned').length === 2)
    const revokes = () => slow.news.filter(({ kind }) => kind === 'revoked').length
    const before = revokes()
    slow.whenRevoked = () => Promise.resolve()
    await clock.runUntil(slow.consumer.stop(clock.now() + 5_000))
    expect(revokes()).toBe(before + 1)
  })
})

describe('a member that fails by a defect of its own', () => {
  it('may still commit what is settled, tells the failure, and leaves: nobody waits until its session is over', async () => {
    const failing = member({ sessionTimeoutMs: 45_000 })
    const outcomes: string[] = []
    failing.whenRevoked = async (partitions) => {
      const offsets = partitions.map((at) => ({ ...at, nextOffset: at.position, metadata: 'settled' }))
      outcomes.push(...(await failing.consumer.commit(offsets, clock.now() + 1_000)))
    }
    failing.whenAssigned = () => Promise.reject(new TypeError('a defect'))
    const started = failing.consumer.start(clock.now() + 30_000).catch(() => undefined)
    await clock.advance(10_000)
    await started
    expect(failing.kinds()).toEqual(['assigned', 'revoked', 'failed'])
    expect(outcomes).toEqual(['committed', 'committed'])
    const next = member()
    const begun = clock.now()
    await next.start()
    expect(clock.now() - begun).toBeLessThan(5_000)
    expect(next.last('assigned').map(({ committed }) => committed?.metadata)).toEqual(['settled', 'settled'])
  })
})

describe('a leader whose members are killed', () => {
  it.each([
    { times: 3, groupInstanceId: null, warnings: 0 },
    { times: 4, groupInstanceId: null, warnings: 1 },
    { times: 6, groupInstanceId: null, warnings: 1 },
    { times: 6, groupInstanceId: 'i', warnings: 0 },
  ])(
    '$times times warns of it $warnings times where their name is $groupInstanceId',
    async ({ times, groupInstanceId, warnings }) => {
      const warned: unknown[] = []
      const leader = member({ logger: { ...silentLogger, warn: (fields) => warned.push(fields) }, groupId: 'g' })
      await leader.start()
      for (let killed = 0; killed < times; killed += 1) {
        const connection = cluster.connectionFactory().open('orders', 'orders')
        const mortal = new ConsumerHarness(connection, clock, { groupInstanceId }, 50 + killed)
        await mortal.start()
        await clock.advance(2_000)
        await connection.close()
        await mortal.stop(0)
      }
      await clock.advance(11_000)
      expect(warned).toEqual(Array.from({ length: warnings }, () => ({ group: 'g', clientId: 'orders', times: 3 })))
      await leader.stop()
    },
  )
})
