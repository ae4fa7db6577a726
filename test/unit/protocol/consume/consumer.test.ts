import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { OffsetToCommit } from '../../../../src/driver/consumer.js'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { noHeaders } from '../../../../src/message/record.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ScriptedCluster } from '../cluster/scripted-cluster.js'
import { ConsumerHarness } from './consumer-harness.js'

const throttle = { throttleTimeMs: 0 }
let clock: VirtualClock
let cluster: ScriptedCluster

beforeEach(() => {
  clock = virtualClock()
  cluster = new ScriptedCluster(clock)
  cluster.append('t', 0, 3)
  cluster.append('t', 1, 3)
})

const commitOf = (harness: ConsumerHarness, nextOffset: number, partition = 0): OffsetToCommit => {
  const epoch = harness.consumer.assignment().find((at) => at.partition === partition)?.epoch ?? -1
  return { topic: 't', partition, epoch, nextOffset, metadata: '' }
}

const commit = (harness: ConsumerHarness, offsets: readonly OffsetToCommit[]) =>
  clock.runUntil(harness.consumer.commit(offsets, clock.now() + 5_000))

describe('joining', () => {
  it('joins with the member id it was told to use and reads from the start', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    await clock.advance(100)
    expect(cluster.requests('joinGroup').map(({ memberId }) => memberId)).toEqual(['', 'member-1'])
    expect(harness.held()).toEqual(['t-0', 't-1'])
    expect(harness.offsets('t', 0)).toEqual([0, 1, 2])
    expect(harness.offsets('t', 1)).toEqual([0, 1, 2])
    await harness.stop()
    await clock.advance(1_000)
    expect(clock.pendingTimers).toBe(0)
  })

  it('starts at the committed offset and hands over its metadata', async () => {
    cluster.committed.set('t-0', { offset: 2, metadata: 'note' })
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    await clock.advance(100)
    expect(harness.last('assigned')[0]).toMatchObject({ position: 2, committed: { offset: 2, metadata: 'note' } })
    expect(harness.offsets('t', 0)).toEqual([2])
    expect(cluster.requests('offsetFetch')[0]?.requireStable).toBe(true)
  })

  it('starts at the end when nothing is committed and `from` is latest, or a time after the last record', async () => {
    for (const from of ['latest', { timestamp: 5 }] as const) {
      const harness = new ConsumerHarness(new ScriptedClusterOf3(clock), clock, { from })
      await harness.start()
      expect(harness.last('assigned')[0]).toMatchObject({ position: 3, committed: null })
      await harness.stop()
    }
  })

  it('does not start while a transaction over the commits is open, and then starts behind it', async () => {
    const unstable = (errorCode: number) => ({ ...throttle, errorCode, partitions: [] })
    cluster.once('offsetFetch', () => unstable(brokerCode.UNSTABLE_OFFSET_COMMIT))
    cluster.committed.set('t-0', { offset: 3, metadata: null })
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    expect(cluster.count('offsetFetch')).toBe(2)
    expect(harness.last('assigned')[0]?.position).toBe(3)
  })

  it('assigns what has a leader without waiting for a partition that has none', async () => {
    cluster.log('t', 1).leader = -1
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    expect(harness.held()).toEqual(['t-0'])
    cluster.log('t', 1).leader = 2
    await clock.advance(3_000)
    expect(harness.held()).toEqual(['t-0', 't-1'])
    expect(harness.offsets('t', 1)).toEqual([0, 1, 2])
    const epochs = harness.consumer.assignment().map(({ epoch }) => epoch)
    expect(epochs[1]).toBeGreaterThan(epochs[0] ?? 0)
  })

  it('delivers no record before the listener has taken the assignment in', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    harness.whenAssigned = () => clock.sleep(2_000)
    const started = harness.consumer.start(clock.now() + 10_000)
    await clock.advance(1_500)
    expect(harness.kinds()).toEqual(['assigned'])
    expect(harness.fetched).toEqual([])
    await clock.runUntil(started)
    await clock.advance(100)
    expect(harness.offsets()).toEqual([0, 1, 2])
  })

  it('obeys pause and seek that come while the listener takes the assignment in', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    harness.whenAssigned = async () => {
      harness.consumer.seek({ topic: 't', partition: 0 }, 1)
      harness.consumer.pause({ topic: 't', partition: 1 })
    }
    await harness.start()
    await clock.advance(1_000)
    expect(harness.offsets('t', 0)).toEqual([1, 2])
    expect(harness.offsets('t', 1)).toEqual([])
  })

  it.each([
    [brokerCode.INCONSISTENT_GROUP_PROTOCOL, /RoundRobinAssigner|kafkajs-roundrobin/],
    [brokerCode.INVALID_SESSION_TIMEOUT, /group\.min\.session\.timeout\.ms/],
    [brokerCode.GROUP_MAX_SIZE_REACHED, /group\.max\.size/],
    [brokerCode.GROUP_AUTHORIZATION_FAILED, /READ/],
  ])('rejects start with what to do when the group refuses it with code %i', async (errorCode, fix) => {
    cluster.on('joinGroup', () => ({ ...joinRefused, errorCode }))
    const harness = new ConsumerHarness(cluster, clock)
    await expect(harness.start()).rejects.toThrow(fix)
    expect(cluster.closed).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  it('says what it was not permitted when its deadline comes before that counts as final', async () => {
    cluster.on('joinGroup', () => ({ ...joinRefused, errorCode: brokerCode.GROUP_AUTHORIZATION_FAILED }))
    const harness = new ConsumerHarness(cluster, clock)
    const cause = { brokerCode: brokerCode.GROUP_AUTHORIZATION_FAILED }
    await expect(harness.start(3_000)).rejects.toMatchObject({ code: 'start-timeout', cause })
  })

  it('names at the deadline of the start the partitions that it was given and cannot begin, such as of a deleted topic', async () => {
    cluster.on('listOffsets', () => 'silence')
    const harness = new ConsumerHarness(cluster, clock)
    const start = harness.start(3_000)
    await expect(start).rejects.toMatchObject({ code: 'start-timeout' })
    await expect(start).rejects.toThrow(/was given t-0, t-1 .*topics exist and have leaders/)
  })

  it('rejects start at its deadline, closed, when the group never lets it in', async () => {
    cluster.on('joinGroup', ({ memberId }) => (memberId === '' ? 'usual' : 'silence'))
    const harness = new ConsumerHarness(cluster, clock)
    await expect(harness.start(3_000)).rejects.toMatchObject({ code: 'start-timeout' })
    expect(cluster.closed).toBe(true)
    expect(cluster.requests('leaveGroup')).toHaveLength(1)
    expect(harness.news).toEqual([])
  })

  it('tolerates a topic that does not exist, and reads it from its beginning when it appears', async () => {
    const harness = new ConsumerHarness(cluster, clock, { topics: ['t', 'later'] })
    await harness.start()
    expect(harness.held()).toEqual(['t-0', 't-1'])
    cluster.append('later', 0, 2)
    await clock.advance(5_000)
    expect(harness.held()).toContain('later-0')
    expect(harness.offsets('later', 0)).toEqual([0, 1])
  })

  it('does not read topics it never asked for, though a foreign leader assigns them', async () => {
    const partitions = ['t', 'foreign'].map((topic) => ({ topic, partition: 0 }))
    cluster.append('foreign', 0, 1)
    cluster.on('syncGroup', () => ({ ...throttle, errorCode: 0, assignment: { partitions, userData: null } }))
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    await clock.advance(500)
    expect(harness.held()).toEqual(['t-0'])
    expect(harness.offsets('foreign', 0)).toEqual([])
  })

  it('has the group rebalanced when partitions are added', async () => {
    const harness = new ConsumerHarness(cluster, clock, { metadataMaxAgeMs: 5_000 })
    await harness.start()
    cluster.append('t', 2, 1)
    await clock.advance(6_000)
    expect(harness.held()).toEqual(['t-0', 't-1', 't-2'])
    expect(harness.kinds()).toEqual(['assigned', 'revoked', 'assigned'])
  })
})

const joinRefused = { ...throttle, generationId: -1, protocolName: '', leader: '', memberId: '', members: [] }

class ScriptedClusterOf3 extends ScriptedCluster {
  constructor(of: VirtualClock) {
    super(of)
    this.append('t', 0, 3)
  }
}

describe('rebalancing', () => {
  const rebalanceOnce = () =>
    cluster.once('heartbeat', () => ({ ...throttle, errorCode: brokerCode.REBALANCE_IN_PROGRESS }))

  it('gives everything up in good order and takes it anew under another epoch', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    const before = harness.last('assigned')[0]?.epoch ?? 0
    rebalanceOnce()
    await clock.advance(1_200)
    expect(harness.kinds()).toEqual(['assigned', 'revoked', 'assigned'])
    expect(harness.last('assigned')[0]?.epoch).toBeGreaterThan(before)
  })

  it('takes commits under the old generation while it drains, and stays alive', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    let outcomes: readonly string[] = []
    harness.whenRevoked = async () => {
      await clock.sleep(4_000)
      outcomes = await harness.consumer.commit([commitOf(harness, 3)], clock.now() + 1_000)
    }
    rebalanceOnce()
    await clock.advance(8_000)
    expect(outcomes).toEqual(['committed'])
    expect(cluster.requests('offsetCommit')[0]).toMatchObject({ generationId: 1, memberId: 'member-1' })
    expect(cluster.committed.get('t-0')?.offset).toBe(3)
    const drainBeats = cluster.sent.filter(({ request }) => request.api === 'heartbeat').length
    expect(drainBeats).toBeGreaterThanOrEqual(5)
  })

  it('hands over no record from the moment on when the drain begins', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    await clock.advance(500)
    harness.whenRevoked = () => clock.sleep(3_000)
    rebalanceOnce()
    await clock.runUntil(() => harness.kinds().includes('revoked'))
    const seen = harness.fetched.length
    cluster.append('t', 0, 5)
    await clock.advance(2_900)
    expect(harness.fetched.length).toBe(seen)
  })

  it('rejoins when the drain is not done within its share of the rebalance timeout', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    let deadline = 0
    harness.whenRevoked = (_, until) => {
      deadline = until - clock.now()
      return new Promise(() => undefined)
    }
    rebalanceOnce()
    await clock.advance(13_000)
    expect(deadline).toBe(11_000)
    expect(harness.kinds()).toEqual(['assigned', 'revoked', 'assigned'])
  })

  it('refuses to commit what belonged to an older assignment, without asking the broker', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    const stale = commitOf(harness, 1)
    rebalanceOnce()
    await clock.advance(1_200)
    expect(await commit(harness, [stale, commitOf(harness, 2)])).toEqual(['lost', 'committed'])
    expect(cluster.requests('offsetCommit')).toHaveLength(1)
    expect(cluster.committed.get('t-0')?.offset).toBe(2)
  })

  it('says lost, not revoked, when the group no longer knows it, and joins as a new member', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    cluster.once('heartbeat', () => ({ ...throttle, errorCode: brokerCode.UNKNOWN_MEMBER_ID }))
    await clock.advance(1_500)
    expect(harness.kinds()).toEqual(['assigned', 'lost', 'assigned'])
    expect(cluster.requests('joinGroup').at(-2)?.memberId).toBe('')
    expect(cluster.count('offsetCommit')).toBe(0)
  })

  it('keeps its member id when only the generation went on without it', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    cluster.once('heartbeat', () => ({ ...throttle, errorCode: brokerCode.ILLEGAL_GENERATION }))
    await clock.advance(1_500)
    expect(harness.kinds()).toEqual(['assigned', 'lost', 'assigned'])
    expect(cluster.requests('joinGroup').at(-1)?.memberId).toBe('member-1')
  })

  it('counts itself out when no heartbeat was answered for the session timeout', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    cluster.on('heartbeat', () => 'silence')
    await clock.advance(9_900)
    expect(harness.kinds()).toEqual(['assigned'])
    await clock.advance(200)
    expect(harness.kinds()).toContain('lost')
  })

  it('keeps its membership while the coordinator moves', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    cluster.coordinator = 2
    cluster.on('heartbeat', (_, node) =>
      node === 2 ? 'usual' : { ...throttle, errorCode: brokerCode.NOT_COORDINATOR },
    )
    await clock.advance(15_000)
    expect(harness.kinds()).toEqual(['assigned'])
    expect(cluster.sent.filter(({ request }) => request.api === 'heartbeat').at(-1)?.node).toBe(2)
  })

  it('loses at once what it was still draining when it is thrown out meanwhile', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    harness.whenRevoked = () => clock.sleep(5_000)
    rebalanceOnce()
    await clock.advance(1_100)
    cluster.once('heartbeat', () => ({ ...throttle, errorCode: brokerCode.UNKNOWN_MEMBER_ID }))
    await clock.advance(1_500)
    expect(harness.kinds()).toEqual(['assigned', 'revoked', 'lost', 'assigned'])
  })

  it('tells the end of an assignment only after its beginning was taken in', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    const order: string[] = []
    let taken = 0
    harness.whenAssigned = async () => {
      if ((taken += 1) > 1) return
      await clock.sleep(3_000)
      order.push('taken in')
    }
    harness.whenRevoked = async () => void order.push('revoked')
    const started = harness.consumer.start(clock.now() + 20_000)
    rebalanceOnce()
    await clock.runUntil(started)
    await clock.advance(2_000)
    expect(order).toEqual(['taken in', 'revoked'])
  })

  it('stops for good when another process took its instance id', async () => {
    const harness = new ConsumerHarness(cluster, clock, { groupInstanceId: 'i1' })
    await harness.start()
    cluster.on('heartbeat', () => ({ ...throttle, errorCode: brokerCode.FENCED_INSTANCE_ID }))
    await clock.advance(1_100)
    expect(harness.kinds()).toEqual(['assigned', 'lost', 'failed'])
    expect(harness.news.at(-1)).toMatchObject({ error: { code: 'fenced-instance-id', name: 'FencedError' } })
    const requests = cluster.sent.length
    await clock.advance(30_000)
    expect(cluster.sent.slice(requests).filter(({ request }) => request.api !== 'metadata')).toEqual([])
  })
})

describe('committing', () => {
  it.each([
    [brokerCode.REBALANCE_IN_PROGRESS, 'pending'],
    [brokerCode.NOT_COORDINATOR, 'pending'],
    [brokerCode.COORDINATOR_LOAD_IN_PROGRESS, 'pending'],
    [brokerCode.ILLEGAL_GENERATION, 'lost'],
    [brokerCode.UNKNOWN_MEMBER_ID, 'lost'],
    [brokerCode.OFFSET_METADATA_TOO_LARGE, 'metadata-too-large'],
    [brokerCode.TOPIC_AUTHORIZATION_FAILED, 'pending'],
  ])('reads code %i as %s', async (errorCode, outcome) => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    cluster.once('offsetCommit', ({ partitions }) => ({
      ...throttle,
      partitions: partitions.map((at) => ({ ...at, errorCode: at.partition === 1 ? 0 : errorCode })),
    }))
    expect(await commit(harness, [commitOf(harness, 1, 1), commitOf(harness, 1, 0)])).toEqual(['committed', outcome])
  })

  it('is in doubt when no answer comes, and the coordinator is looked up again', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    const lookUps = cluster.count('findCoordinator')
    cluster.once('offsetCommit', () => Promise.reject(new RequestError('connection-lost', 'maybe', 'lost')))
    expect(await commit(harness, [commitOf(harness, 1)])).toEqual(['in-doubt'])
    expect(await commit(harness, [commitOf(harness, 1)])).toEqual(['committed'])
    expect(cluster.count('findCoordinator')).toBeGreaterThan(lookUps)
  })

  it('sends commits in the order of the calls', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    const sent: unknown[] = []
    cluster.on('offsetCommit', ({ partitions }) => {
      sent.push(partitions[0]?.offset)
      return 'usual' as const
    })
    const all = [1, 2, 3].map((offset) => harness.consumer.commit([commitOf(harness, offset)], clock.now() + 5_000))
    await clock.runUntil(Promise.all(all))
    expect(sent).toEqual([1, 2, 3])
    expect(cluster.committed.get('t-0')?.offset).toBe(3)
  })

  it('is lost after the consumer stopped', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    const offset = commitOf(harness, 1)
    await harness.stop()
    expect(await harness.consumer.commit([offset], clock.now() + 100)).toEqual(['lost'])
  })
})

describe('stopping', () => {
  it('drains, commits, leaves and closes, in this order', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    harness.whenRevoked = async () => {
      await clock.sleep(500)
      await harness.consumer.commit([commitOf(harness, 3)], clock.now() + 1_000)
    }
    await harness.stop()
    const apis = cluster.sent.map(({ request }) => request.api)
    expect(apis.indexOf('offsetCommit')).toBeGreaterThan(0)
    expect(apis.indexOf('leaveGroup')).toBeGreaterThan(apis.indexOf('offsetCommit'))
    expect(cluster.closed).toBe(true)
    expect(harness.kinds()).toEqual(['assigned', 'revoked'])
  })

  it('does not leave the group as a static member, and says its id in every request', async () => {
    const harness = new ConsumerHarness(cluster, clock, { groupInstanceId: 'i1' })
    await harness.start()
    await clock.advance(1_500)
    await commit(harness, [commitOf(harness, 1)])
    await harness.stop()
    expect(cluster.count('leaveGroup')).toBe(0)
    for (const api of ['joinGroup', 'syncGroup', 'heartbeat', 'offsetCommit'] as const) {
      expect(cluster.requests(api).length).toBeGreaterThan(0)
      for (const { groupInstanceId } of cluster.requests(api)) expect(groupInstanceId).toBe('i1')
    }
  })

  it('ends at its deadline although the drain and the broker hang', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    harness.whenRevoked = () => new Promise(() => undefined)
    cluster.on('leaveGroup', () => 'silence')
    const from = clock.now()
    await harness.stop(4_000)
    expect(clock.now() - from).toBeLessThanOrEqual(4_000)
    expect(cluster.closed).toBe(true)
    const told = harness.news.length
    await clock.advance(30_000)
    expect(harness.news.length).toBe(told)
  })

  it('gives up a parked join at once', async () => {
    cluster.on('joinGroup', ({ memberId }) => (memberId === '' ? 'usual' : 'silence'))
    const harness = new ConsumerHarness(cluster, clock)
    const started = harness.consumer.start(clock.now() + 20_000)
    started.catch(() => undefined)
    await clock.advance(1_000)
    const from = clock.now()
    await harness.stop()
    expect(clock.now() - from).toBeLessThan(100)
    expect(cluster.requests('leaveGroup')[0]?.memberId).toBe('member-1')
    await expect(started).rejects.toMatchObject({ code: 'stopped' })
  })

  it('may be called twice', async () => {
    const harness = new ConsumerHarness(cluster, clock)
    await harness.start()
    const both = Promise.all([harness.consumer.stop(clock.now() + 5_000), harness.consumer.stop(clock.now() + 5_000)])
    await clock.runUntil(both)
    expect(harness.kinds()).toEqual(['assigned', 'revoked'])
  })
})

describe('without a group', () => {
  it('reads all partitions, then those that are added from their beginning, and commits nothing', async () => {
    const harness = new ConsumerHarness(cluster, clock, { groupId: null, from: 'latest', metadataMaxAgeMs: 5_000 })
    await harness.start()
    await clock.advance(300)
    expect(harness.fetched).toEqual([])
    cluster.append('t', 2, 2)
    cluster.append('t', 0, 1)
    await clock.advance(6_000)
    expect(harness.offsets('t', 0)).toEqual([3])
    expect(harness.offsets('t', 2)).toEqual([0, 1])
    expect(await commit(harness, [commitOf(harness, 1)])).toEqual(['lost'])
    await harness.stop()
    expect(harness.kinds()).toEqual(['assigned', 'assigned', 'revoked'])
    expect(cluster.count('joinGroup') + cluster.count('offsetCommit') + cluster.count('offsetFetch')).toBe(0)
  })

  it('knows that there is nothing to read of partitions that are missing since their topic was made anew', async () => {
    const brokers = createMemoryCluster({ brokers: 1, runtime: { clock, random: seededRandom(1) } })
    brokers.createTopic('t', { partitions: 2 })
    const record = { key: null, value: Buffer.from('x'), headers: noHeaders, timestamp: 0 }
    brokers.appendTransaction('t', 1, [record], 'commit')
    const settings = { groupId: null, onOutOfRange: 'earliest', metadataMaxAgeMs: 1_000 } as const
    const harness = new ConsumerHarness(brokers.connectionFactory().open('reader'), clock, settings)
    await harness.start()
    await clock.advance(300)
    const end = () => harness.consumer.endOf({ topic: 't', partition: 1 })
    expect(end()?.offset).toBe(2)
    brokers.deleteTopic('t')
    await clock.advance(10_000)
    expect(end()?.offset).toBe(2)
    brokers.createTopic('t', { partitions: 1 })
    await clock.advance(10_000)
    const first = end()
    expect(first?.offset).toBe(0)
    await clock.advance(10_000)
    expect(end()?.at).toBeGreaterThan(first!.at)
    brokers.addPartitions('t', 2)
    for (let times = 0; times < 3; times += 1) brokers.appendTransaction('t', 1, [record], 'commit')
    await clock.advance(5_000)
    expect(end()?.offset).toBe(6)
    await harness.stop()
  })

  it('does not take a partition twice that was missing while its topic, made anew, had fewer', async () => {
    const brokers = createMemoryCluster({ brokers: 1, runtime: { clock, random: seededRandom(1) } })
    brokers.createTopic('t', { partitions: 2 })
    const settings = { groupId: null, onOutOfRange: 'earliest', metadataMaxAgeMs: 1_000 } as const
    const harness = new ConsumerHarness(brokers.connectionFactory().open('reader'), clock, settings)
    await harness.start()
    await clock.advance(300)
    brokers.deleteTopic('t')
    brokers.createTopic('t', { partitions: 1 })
    await clock.advance(5_000)
    brokers.addPartitions('t', 2)
    await clock.advance(10_000)
    expect(harness.kinds()).toEqual(['assigned', 'reset', 'reset'])
    expect(harness.held()).toEqual(['t-0', 't-1'])
    await harness.stop()
    expect(harness.last('revoked')).toHaveLength(2)
  })
})
