import { beforeEach, describe, expect, it } from 'vitest'
import type { ConsumerSettings } from '../../../../src/driver/consumer.js'
import { createMemoryCluster, type MemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { noHeaders } from '../../../../src/message/record.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import type { Connection } from '../../../../src/connection/connection.js'
import type { JoinGroupRequest } from '../../../../src/connection/requests/groups.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

let clock: VirtualClock
let cluster: MemoryCluster

beforeEach(() => {
  clock = virtualClock()
  cluster = createMemoryCluster({ runtime: { clock, random: seededRandom(1) }, latencyMs: 1, failoverMs: 500 })
  cluster.createTopic('t', { partitions: 6 })
})

const append = (partition: number) => {
  const record = { key: null, value: Buffer.from('x'), headers: noHeaders, timestamp: 0 }
  cluster.appendTransaction('t', partition, [record], 'commit')
}

let opened = 0
const connections = new WeakMap<ConsumerHarness, Connection>()
function member(settings: Partial<ConsumerSettings> = {}): ConsumerHarness {
  const connection = cluster.connectionFactory().open(`member-${(opened += 1)}`)
  const made = new ConsumerHarness(connection, clock, { assignors: ['cooperative-sticky'], ...settings })
  connections.set(made, connection)
  return made
}
const rebalanceInProgress = 27
/** A member, and the joins that it sends. */
function recorded(): [ConsumerHarness, JoinGroupRequest[]] {
  const joins: JoinGroupRequest[] = []
  const connection = cluster.connectionFactory().open('recorded')
  const request: Connection['request'] = (node, lane, asked, ...rest) => {
    if (asked.api === 'joinGroup') joins.push(asked)
    return connection.request(node, lane, asked, ...rest)
  }
  const recording = { request, lastSign: connection.lastSign.bind(connection), close: () => connection.close() }
  return [new ConsumerHarness(recording, clock, { assignors: ['cooperative-sticky'] }), joins]
}
const claimOf = ({ protocols }: JoinGroupRequest) => {
  const { generationId, ownedPartitions: owned, userData } = protocols[0]?.subscription ?? {}
  return { generationId, owned, userData: userData?.readInt32BE() }
}
/** As a process that is killed: nobody hears of it again. */
const kill = (one: ConsumerHarness) => void connections.get(one)?.close()

const all = [0, 1, 2, 3, 4, 5].map((partition) => `t-${partition}`)
const heldBy = (...members: ConsumerHarness[]) => members.flatMap((one) => one.held()).sort()
const keys = (partitions: readonly { readonly partition: number }[]) =>
  partitions.map(({ partition }) => `t-${partition}`)
const commitAll = (one: ConsumerHarness, nextOffset: number) => {
  const offsets = one.consumer.assignment().map((at) => ({ ...at, nextOffset, metadata: '' }))
  return clock.runUntil(one.consumer.commit(offsets, clock.now() + 2_000))
}

describe('a cooperative group', () => {
  it('takes from its members what a new one gets and touches nothing else', async () => {
    const first = member()
    await first.start()
    const epochs = new Map(first.consumer.assignment().map((at) => [at.partition, at.epoch]))
    const second = member()
    await second.start()
    await clock.advance(2_000)
    expect(first.kinds()).toEqual(['assigned', 'revoked'])
    expect(second.held()).toEqual(keys(first.last('revoked')))
    expect(first.held()).toHaveLength(3)
    for (const { partition, epoch } of first.consumer.assignment()) expect(epoch).toBe(epochs.get(partition))
    expect(heldBy(first, second)).toEqual(all)
  })

  it('gives a partition to its next owner only when the former one is done with it, and that goes on from there', async () => {
    const first = member()
    await first.start()
    first.whenRevoked = async (partitions) => {
      await clock.sleep(3_000)
      const offsets = partitions.map((at) => ({ ...at, nextOffset: 2, metadata: '' }))
      const outcomes = await first.consumer.commit(offsets, clock.now() + 1_000)
      expect(new Set(outcomes)).toEqual(new Set(['committed']))
    }
    const second = member()
    await second.start()
    await clock.advance(2_500)
    expect(second.held()).toEqual([])
    await clock.advance(3_000)
    expect(second.held()).toHaveLength(3)
    for (const { position } of second.consumer.assignment()) expect(position).toBe(2)
  })

  it('reads and commits on while a rebalance waits for a member that is dead', async () => {
    const [first, dead] = [member(), member()]
    await first.start()
    await dead.start()
    await clock.advance(2_000)
    const kept = first.held()
    kill(dead)
    const third = member()
    void third.consumer.start(clock.now() + 60_000)
    await clock.advance(2_000)
    expect(first.consumer.facts().state).toBe('joining')
    const { partition } = first.consumer.assignment()[0]!
    append(partition)
    await clock.advance(300)
    expect(first.offsets('t', partition)).toEqual([0])
    expect(new Set(await commitAll(first, 1))).toEqual(new Set(['committed']))
    await clock.advance(12_000)
    expect(first.held()).toEqual(kept)
    expect(first.kinds()).toEqual(['assigned', 'revoked'])
    expect(heldBy(first, third)).toEqual(all)
  })

  it('commits again what was committed under the generation before', async () => {
    const [first, second] = [member(), member()]
    await first.start()
    let outcomes: readonly string[] = []
    const committing = setCommitting(first, (some) => (outcomes = [...outcomes, ...some]))
    await second.start()
    await clock.advance(3_000)
    committing.over = true
    expect(new Set(outcomes)).toEqual(new Set(['committed', 'pending']))
    expect(first.kinds()).not.toContain('lost')
    expect(cluster.committed('g')).toHaveLength(6)
  })

  it('deals out what a member gave up that died before it joined again', async () => {
    const first = member()
    await first.start()
    first.whenRevoked = async () => kill(first)
    const second = member()
    await second.start()
    await clock.advance(11_500)
    expect(second.held().sort()).toEqual(all)
  })

  it('goes on without one that gives nothing up in time: that is lost, the rest stays', async () => {
    const first = member()
    await first.start()
    first.whenRevoked = () => new Promise(() => undefined)
    const second = member()
    await second.start()
    await clock.advance(16_000)
    expect(heldBy(first, second)).toEqual(all)
    expect(first.held()).toHaveLength(3)
    expect(first.kinds()).toEqual(['assigned', 'revoked'])
  })

  it('drains and commits what a member holds that is stopped while it waits for the others, and leaves', async () => {
    const [first, dead] = [member(), member()]
    await first.start()
    await dead.start()
    await clock.advance(2_000)
    kill(dead)
    const third = member()
    void third.consumer.start(clock.now() + 60_000)
    await clock.advance(2_000)
    expect(first.consumer.facts().state).toBe('joining')
    let outcomes: readonly string[] = []
    first.whenRevoked = async (partitions, deadline) => {
      await clock.sleep(500)
      const offsets = partitions.map((at) => ({ ...at, nextOffset: 7, metadata: '' }))
      outcomes = await first.consumer.commit(offsets, deadline)
    }
    await first.stop(5_000)
    expect(outcomes).toEqual(['committed', 'committed', 'committed'])
    expect(first.consumer.facts().state).toBe('stopped')
    await clock.advance(11_000)
    expect(third.held().sort()).toEqual(all)
  })

  it('loses all of a member that no heartbeat of is answered for a session, also while it joins', async () => {
    const [first, joins] = recorded()
    const second = member()
    await first.start()
    await second.start()
    await clock.advance(2_000)
    for (const broker of [0, 1, 2]) cluster.faults.silence(broker, 30_000)
    await clock.advance(11_000)
    expect(first.kinds()).toContain('lost')
    expect(first.held()).toEqual([])
    const asked = joins.length
    await clock.advance(60_000)
    expect(heldBy(first, second)).toEqual(all)
    // In a group that began anew others' claims would be older than that of its former generation.
    expect(claimOf(joins[asked]!)).toEqual({ generationId: -1, owned: [], userData: -1 })
  })

  it('keeps everything when the answers of a join and of a division are lost', async () => {
    for (const api of ['joinGroup', 'syncGroup'] as const) {
      const settings = { groupId: api }
      const [first, second] = [member(settings), member(settings)]
      await first.start()
      cluster.faults.loseNextAnswer({ api, client: `member-${opened - 1}` })
      await second.start()
      await clock.advance(25_000)
      expect(heldBy(first, second), api).toEqual(all)
      expect(first.kinds(), api).toEqual(['assigned', 'revoked'])
    }
  })

  it('tells of what it holds that this is of the generation it is in, though it did not hear the division of that one', async () => {
    const [first, joins] = recorded()
    const second = member()
    await first.start()
    await second.start()
    await clock.advance(2_000)
    const asked = joins.length
    cluster.faults.failNext({ api: 'syncGroup', client: 'recorded' }, rebalanceInProgress)
    const third = member()
    await third.start()
    await clock.advance(3_000)
    const [before, after] = joins.slice(asked).map(claimOf)
    expect(after?.owned).toEqual(before?.owned)
    expect(after?.owned).not.toEqual([])
    // Some leaders heed no claim that is older than another one.
    expect(after?.generationId).toBe((before?.generationId ?? 0) + 1)
    expect(after?.userData).toBe(after?.generationId)
    expect(first.kinds()).not.toContain('lost')
    expect(heldBy(first, second, third)).toEqual(all)
  })

  it('loses all when the group has been through a generation without it, though it is a member still', async () => {
    const [first, second] = [member({ groupInstanceId: 'a' }), member({ groupInstanceId: 'b' })]
    await first.start()
    await second.start()
    await clock.advance(2_000)
    const held = cluster.faults.holdRequest({ api: 'joinGroup', client: `member-${opened - 1}` })
    const third = member()
    void third.consumer.start(clock.now() + 60_000)
    await clock.advance(22_000)
    expect(first.kinds()).not.toContain('lost')
    held.release()
    await clock.advance(500)
    expect(first.kinds()).toContain('lost')
    await clock.advance(5_000)
    expect(heldBy(first, second, third)).toEqual(all)
  })

  it('hears within a heartbeat that the leader of before, a static one, divides again when it is back', async () => {
    const [leader, follower] = [member({ groupInstanceId: 'a' }), member({ groupInstanceId: 'b' })]
    await leader.start()
    await follower.start()
    await clock.advance(2_000)
    const before = follower.news.length
    await leader.stop()
    const again = member({ groupInstanceId: 'a' })
    await again.start()
    await clock.advance(3_000)
    expect(heldBy(again, follower)).toEqual(all)
    expect(follower.news.slice(before)).toEqual([])
  })
})

/** Commits everything it holds over and over. */
function setCommitting(one: ConsumerHarness, told: (outcomes: readonly string[]) => void): { over: boolean } {
  const state = { over: false }
  const tick = () => {
    if (state.over) return
    const offsets = one.consumer.assignment().map((at) => ({ ...at, nextOffset: 0, metadata: '' }))
    void one.consumer.commit(offsets, clock.now() + 1_000).then((outcomes) => {
      // What is given up meanwhile is lost to it; only what stays is looked at.
      const held = new Set(one.held())
      told(outcomes.filter((_, index) => held.has(`t-${offsets[index]?.partition}`)))
    })
    clock.setTimer(3, tick)
  }
  tick()
  return state
}

describe('a group on its way from the eager protocol to the cooperative one', () => {
  const both = ['cooperative-sticky', 'sticky'] as const
  it('is eager while a member of before is in it, and cooperative from then on', async () => {
    const old = member({ assignors: ['sticky'] })
    await old.start()
    const [second, third] = [member({ assignors: both }), member({ assignors: both })]
    await second.start()
    await third.start()
    await clock.advance(2_000)
    expect(cluster.group('g')?.protocolName).toBe('tidemark-sticky')
    expect(heldBy(old, second, third)).toEqual(all)
    await old.stop()
    await clock.advance(2_000)
    expect(cluster.group('g')?.protocolName).toBe('cooperative-sticky')
    const told = second.news.length
    const fourth = member({ assignors: both })
    await fourth.start()
    await clock.advance(3_000)
    expect(second.kinds().slice(told)).toEqual(['revoked'])
    expect(heldBy(second, third, fourth)).toEqual(all)
    for (const one of [old, second, third, fourth]) expect(one.kinds()).not.toContain('lost')
  })

  it('back again: what a member holds is lost when an eager leader may deal it out, and never committed then', async () => {
    const [first, second] = [member({ assignors: both }), member({ assignors: both })]
    await first.start()
    await second.start()
    await clock.advance(2_000)
    const stale = first.consumer.assignment().map((at) => ({ ...at, nextOffset: 5, metadata: '' }))
    const old = member({ assignors: ['sticky'] })
    await old.start()
    await clock.advance(100)
    expect(first.kinds()).toContain('lost')
    const outcomes = await clock.runUntil(first.consumer.commit(stale, clock.now() + 1_000))
    expect(new Set(outcomes)).toEqual(new Set(['lost']))
    expect(cluster.committed('g')).toEqual([])
    expect(heldBy(first, second, old)).toEqual(all)
  })
})
