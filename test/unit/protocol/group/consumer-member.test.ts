import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import { noHeaders } from '../../../../src/message/record.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'
import {
  clock,
  cluster,
  intervalMs,
  sessionMs,
  nameOf,
  member,
  all,
  heldBy,
  shares,
  lost,
  memberIdOf,
  nextNumber,
  stopAll,
} from './consumer-members.js'

describe('members of a group that its coordinator divides', () => {
  it('share the partitions as others come and go, and keep what stays without a pause', async () => {
    const first = member()
    await first.start()
    await clock.advance(100)
    expect(heldBy(first)).toEqual(all)
    const second = member()
    await second.start()
    await clock.advance(2 * intervalMs)
    expect(heldBy(first, second)).toEqual(all)
    expect(shares(first, second)).toEqual([3, 3])
    expect(first.last('revoked')).toHaveLength(3)
    const third = member()
    await third.start()
    await clock.advance(3 * intervalMs)
    expect(heldBy(first, second, third)).toEqual(all)
    expect(shares(first, second, third)).toEqual([2, 2, 2])
    const kept = second.held()
    await third.stop()
    await clock.advance(3 * intervalMs)
    expect(heldBy(first, second)).toEqual(all)
    expect(second.held()).toEqual(expect.arrayContaining(kept))
    expect(cluster.group('g')).toMatchObject({ type: 'consumer', state: 'Stable', protocolName: 'uniform' })
    await stopAll(first, second)
    expect(cluster.group('g')?.state).toBe('Empty')
  })

  it('wait for a partition until its owner is done with it, and the owner commits until then', async () => {
    const first = member()
    await first.start()
    const outcomes: unknown[] = []
    first.whenRevoked = async (partitions) => {
      await clock.sleep(3_500)
      const commits = partitions.map(({ topic, partition, epoch }) => ({
        topic,
        partition,
        epoch,
        nextOffset: 0,
        metadata: '',
      }))
      outcomes.push(...(await first.consumer.commit(commits, clock.now() + 1_000)))
    }
    const second = member()
    await second.start()
    await clock.advance(3 * intervalMs)
    expect(shares(first, second)).toEqual([6, 0])
    await clock.advance(3 * intervalMs)
    expect(shares(first, second)).toEqual([3, 3])
    expect(outcomes).toEqual(['committed', 'committed', 'committed'])
    await stopAll(first, second)
  })

  it('tell the coordinator in which rack they are', async () => {
    const told: (string | null)[] = []
    const connection = cluster.connectionFactory().open('in-rack')
    const noted: typeof connection = {
      lastSign: (...given) => connection.lastSign(...given),
      close: () => connection.close(),
      request: (node, lane, request, ...more) => {
        if (request.api === 'consumerGroupHeartbeat') told.push(request.rackId)
        return connection.request(node, lane, request, ...more)
      },
    }
    const one = new ConsumerHarness(noted, clock, { groupProtocol: 'consumer', rackId: 'a' }, nextNumber())
    await one.start()
    await clock.advance(3 * intervalMs)
    const describe = { api: 'consumerGroupDescribe', groupIds: ['g'] } as const
    const asked = [0, 1, 2].map((node) => connection.request(node, 'main', describe, clock.now() + 1_000))
    const members = (await clock.runUntil(Promise.all(asked))).flatMap(({ groups }) => groups[0]?.members ?? [])
    expect(members).toMatchObject([{ rackId: 'a', topics: ['t'], topicRegex: null }])
    await stopAll(one)
    expect(told[0]).toBe('a')
    expect(told.at(-1), 'what did not change is not told again').toBeNull()
  })

  it('lose what they do not give back within the rebalance timeout, and join again', async () => {
    const first = member({ rebalanceTimeoutMs: 2_000 })
    await first.start()
    await clock.advance(100)
    const id = memberIdOf(first)
    const second = member()
    await second.start()
    // What it gives back is told too late.
    await clock.advance(intervalMs - 200)
    const held = cluster.faults.holdRequest({
      api: 'consumerGroupHeartbeat',
      groupId: 'g',
      client: nameOf(first),
      nth: 2,
    })
    await clock.advance(3_500)
    held.release()
    await clock.advance(5 * intervalMs)
    expect(lost(first)).toBe(1)
    expect(memberIdOf(first)).toBe(id)
    expect(shares(first, second)).toEqual([3, 3])
    await stopAll(first, second)
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'do without any one answer to a heartbeat (the %ith), and lose nothing',
    async (nth) => {
      const first = member()
      await first.start()
      cluster.faults.loseNextAnswer({ api: 'consumerGroupHeartbeat', nth })
      const second = member()
      await second.start()
      await clock.advance(6 * intervalMs)
      expect(heldBy(first, second)).toEqual(all)
      expect(shares(first, second)).toEqual([3, 3])
      expect([lost(first), lost(second)]).toEqual([0, 0])
      await stopAll(first, second)
    },
  )

  it('whose coordinator moves in between go on as they are', async () => {
    const first = member()
    await first.start()
    const second = member()
    await second.start()
    await clock.advance(intervalMs)
    cluster.faults.moveCoordinator('g')
    await clock.advance(4 * intervalMs)
    expect(shares(first, second)).toEqual([3, 3])
    expect([lost(first), lost(second)]).toEqual([0, 0])
    await stopAll(first, second)
  })

  it('whose coordinator moves just after partitions were added are given those', async () => {
    const one = member()
    await one.start()
    await clock.advance(intervalMs)
    cluster.addPartitions('t', 7)
    cluster.faults.moveCoordinator('g')
    await clock.advance(4 * intervalMs)
    expect(one.held().sort()).toEqual([...all, 't-6'])
    await stopAll(one)
  })

  it('that are fenced lose all and come back under the same id', async () => {
    const one = member()
    await one.start()
    await clock.advance(100)
    const id = memberIdOf(one)
    cluster.faults.killMember('g', 'any')
    await clock.advance(2 * intervalMs)
    expect(one.kinds()).toEqual(['assigned', 'lost', 'assigned'])
    expect(heldBy(one)).toEqual(all)
    expect(memberIdOf(one)).toBe(id)
    await stopAll(one)
  })

  it('that were put out unnoticed before the group became a classic one join it again', async () => {
    const one = member({ sessionTimeoutMs: 10 * sessionMs, requestTimeoutMs: 10 * sessionMs })
    await one.start()
    await clock.advance(100)
    const held = cluster.faults.holdRequest({ api: 'consumerGroupHeartbeat', client: nameOf(one) })
    await clock.advance(sessionMs + 3 * intervalMs)
    const classic = member({ groupProtocol: 'classic' })
    await classic.start()
    expect(heldBy(classic)).toEqual(all)
    await classic.stop()
    held.release()
    await clock.advance(3 * intervalMs)
    expect(one.kinds()).toEqual(['assigned', 'lost', 'assigned'])
    expect(heldBy(one)).toEqual(all)
    await stopAll(one)
  })

  it('that hear nothing for a session take their partitions for lost, as the group does', async () => {
    const one = member({ sessionTimeoutMs: sessionMs })
    await one.start()
    await clock.advance(100)
    for (const node of [0, 1, 2]) cluster.faults.silence(node)
    await clock.advance(sessionMs + intervalMs)
    expect(one.held()).toEqual([])
    expect(one.kinds()).toEqual(['assigned', 'lost'])
    for (const node of [0, 1, 2]) cluster.faults.endSilence(node)
    await clock.advance(10 * intervalMs)
    expect(heldBy(one)).toEqual(all)
    await stopAll(one)
  })

  it('count their session from when they asked to join, as the group may have taken them in just then', async () => {
    const connection = cluster.connectionFactory().open('late-told')
    const lateMs = 4_000
    let askedAt = -1
    const late: typeof connection = {
      lastSign: (...given) => connection.lastSign(...given),
      close: () => connection.close(),
      request: async (node, lane, request, deadline, ...more) => {
        const isJoin = request.api === 'consumerGroupHeartbeat' && request.memberEpoch === 0
        if (isJoin) askedAt = clock.now()
        else if (request.api === 'consumerGroupHeartbeat') {
          await clock.sleep(deadline - clock.now())
          throw new RequestError('timed-out', 'maybe', 'no answer in time')
        }
        const answer = await connection.request(node, lane, request, deadline, ...more)
        if (isJoin) await clock.sleep(lateMs)
        return answer
      },
    }
    const settings = { groupProtocol: 'consumer', sessionTimeoutMs: sessionMs } as const
    const one = new ConsumerHarness(late, clock, settings, nextNumber())
    await one.start()
    expect(clock.now() - askedAt).toBeGreaterThanOrEqual(lateMs)
    await clock.advance(askedAt + sessionMs - clock.now() - 1)
    expect(one.consumer.facts().state).not.toBe('joining')
    await clock.advance(1)
    expect(one.consumer.facts().state).toBe('joining')
    expect(one.kinds().at(-1)).toBe('lost')
    await stopAll(one)
  })

  it('are given partitions that are added, and those of a topic made anew', async () => {
    const one = member({ metadataMaxAgeMs: 2_000 })
    await one.start()
    cluster.addPartitions('t', 7)
    await clock.advance(3 * intervalMs)
    expect(one.held().sort()).toEqual([...all, 't-6'])
    cluster.deleteTopic('t')
    cluster.createTopic('t', { partitions: 2 })
    await clock.advance(6 * intervalMs)
    expect(one.held().sort()).toEqual(['t-0', 't-1'])
    await stopAll(one)
  })

  const patient = { onOutOfRange: 'earliest', metadataMaxAgeMs: 500, requestTimeoutMs: 60_000 } as const
  const madeAnew = () => {
    const record = { key: null, value: Buffer.from('x'), headers: noHeaders, timestamp: 0 }
    cluster.deleteTopic('t')
    cluster.createTopic('t', { partitions: 6 })
    for (let partition = 0; partition < 6; partition += 1) cluster.appendTransaction('t', partition, [record], 'commit')
  }
  const readBy = (one: ConsumerHarness) => all.filter((_, partition) => one.offsets('t', partition).length > 0)

  it('do not go on in a topic made anew before it is given to them: somebody else may have it', async () => {
    const one = member(patient)
    await one.start()
    await clock.advance(100)
    const [former] = one.consumer.assignment()
    const beat = cluster.faults.holdRequest({ api: 'consumerGroupHeartbeat', client: nameOf(one) })
    await clock.advance(intervalMs)
    madeAnew()
    const two = member()
    await two.start()
    await clock.advance(3 * intervalMs)
    expect(readBy(two)).toHaveLength(3)
    expect(one.kinds()).toEqual(['assigned'])
    expect(readBy(one)).toEqual([])
    const offset = { ...former!, nextOffset: 0, metadata: '' }
    expect(await clock.runUntil(one.consumer.commit([offset], clock.now() + 1_000))).toEqual(['no-partition'])
    beat.release()
    await clock.advance(4 * intervalMs)
    expect(one.kinds()).toEqual(['assigned', 'revoked', 'assigned'])
    expect(shares(one, two)).toEqual([3, 3])
    expect(heldBy(one, two)).toEqual(all)
    expect(readBy(one)).toEqual(one.held().sort())
    await stopAll(one, two)
  })

  it('do not begin in a topic made anew while it was looked up where to start', async () => {
    const one = member(patient)
    const offsets = cluster.faults.holdRequest({ api: 'offsetFetch' })
    const beat = cluster.faults.holdRequest({ api: 'consumerGroupHeartbeat', client: nameOf(one), nth: 2 })
    const started = one.consumer.start(clock.now() + 60_000)
    await clock.advance(100)
    madeAnew()
    const two = member()
    await two.start()
    await clock.advance(intervalMs)
    offsets.release()
    await clock.advance(2 * intervalMs)
    expect(readBy(two)).toHaveLength(3)
    expect(one.kinds()).toEqual([])
    beat.release()
    await clock.runUntil(started)
    await clock.advance(4 * intervalMs)
    expect(one.kinds()).toEqual(['assigned'])
    expect(shares(one, two)).toEqual([3, 3])
    expect(heldBy(one, two)).toEqual(all)
    await stopAll(one, two)
  })

  it('go on in the topic that was given when a broker that lagged named its predecessor for a while', async () => {
    const one = member({ ...patient, requestTimeoutMs: 1_000 })
    await one.start()
    cluster.faults.lagMetadata(2)
    madeAnew()
    await clock.advance(4 * intervalMs)
    expect(readBy(one)).toEqual(all)
    const told = one.kinds()
    for (const node of [0, 1]) cluster.faults.silence(node)
    await clock.advance(6 * intervalMs)
    for (const node of [0, 1]) cluster.faults.endSilence(node)
    cluster.faults.endMetadataLag(2)
    await clock.advance(5 * intervalMs)
    for (let partition = 0; partition < 6; partition += 1)
      cluster.appendTransaction(
        't',
        partition,
        [{ key: null, value: null, headers: noHeaders, timestamp: 0 }],
        'commit',
      )
    await clock.advance(5 * intervalMs)
    expect(all.map((_, partition) => one.offsets('t', partition))).toEqual(all.map(() => [0, 2]))
    expect(one.kinds()).toEqual(told)
    await stopAll(one)
  })

  it('give up at once what others are to have, also while nobody names them what else is meant for them', async () => {
    const connection = cluster.connectionFactory().open('badly-told')
    let isSilent = false
    const silent: typeof connection = {
      lastSign: (...given) => connection.lastSign(...given),
      close: () => connection.close(),
      request: async (node, lane, request, deadline, ...more) => {
        if (isSilent && request.api === 'metadata') {
          await clock.sleep(deadline - clock.now())
          throw new RequestError('timed-out', 'maybe', 'no answer in time')
        }
        return connection.request(node, lane, request, deadline, ...more)
      },
    }
    const settings = { groupProtocol: 'consumer', topics: ['t', 'u'], requestTimeoutMs: 20_000 } as const
    const first = new ConsumerHarness(silent, clock, settings, nextNumber())
    await first.start()
    await clock.advance(100)
    expect(heldBy(first)).toEqual(all)
    isSilent = true
    cluster.createTopic('u')
    await clock.advance(2 * intervalMs)
    expect(first.consumer.facts().state).toBe('reconciling')
    const second = member()
    await second.start()
    await clock.advance(3 * intervalMs)
    expect(shares(first, second)).toEqual([3, 3])
    isSilent = false
    await clock.advance(5 * intervalMs)
    expect(heldBy(first, second)).toEqual([...all, 'u-0'])
    expect(first.consumer.facts().state).toBe('stable')
    await stopAll(first, second)
  })

  it('are given topics that match their pattern, also those that are made later', async () => {
    const matching = { patterns: [/^t.*$/], except: [] }
    const one = member({ topics: [], matching, metadataMaxAgeMs: 2_000 })
    await one.start()
    await clock.advance(100)
    expect(one.held().sort()).toEqual(all)
    cluster.createTopic('t-later', { partitions: 1 })
    await clock.advance(4_000)
    expect(one.held().sort()).toEqual([...all, 't-later-0'].sort())
    await stopAll(one)
  })

  it('hear of a topic that came to match while their join was out', async () => {
    const matching = { patterns: [/^t.*$/], except: [] }
    const one = member({ topics: [], matching, metadataMaxAgeMs: 1_000 })
    const join = cluster.faults.holdRequest({ api: 'consumerGroupHeartbeat' })
    const started = one.consumer.start(clock.now() + 30_000)
    await clock.advance(500)
    cluster.createTopic('t-later', { partitions: 1 })
    await clock.advance(1_500)
    join.release()
    await clock.runUntil(started)
    await clock.advance(2 * intervalMs)
    expect(one.held().sort()).toEqual([...all, 't-later-0'].sort())
    await stopAll(one)
  })

  it('have started when all that was meant for them went before anybody knew where it starts', async () => {
    const one = member()
    const offsets = cluster.faults.holdRequest({ api: 'offsetFetch' })
    const started = one.consumer.start(clock.now() + 20_000)
    await clock.advance(500)
    cluster.deleteTopic('t')
    await clock.advance(2_000)
    offsets.release()
    await clock.runUntil(started)
    expect(one.held()).toEqual([])
    await stopAll(one)
  })

  it('commit at the next try what was refused for an epoch that rose meanwhile', async () => {
    const one = member()
    await one.start()
    await clock.advance(100)
    const [at] = one.consumer.assignment()
    const offset = { topic: 't', partition: at!.partition, epoch: at!.epoch, nextOffset: 0, metadata: '' }
    const commit = () => clock.runUntil(one.consumer.commit([offset], clock.now() + 1_000))
    cluster.faults.failNext({ api: 'offsetCommit' }, brokerCode.STALE_MEMBER_EPOCH)
    expect(await commit()).toEqual(['pending'])
    await clock.advance(50)
    expect(await commit()).toEqual(['committed'])
    expect(one.kinds()).toEqual(['assigned'])
    await stopAll(one)
  })

  it('start where the group committed, also when they are told of that only after their epoch has settled', async () => {
    const record = { key: null, value: Buffer.from('x'), headers: noHeaders, timestamp: 0 }
    cluster.appendTransaction(
      't',
      0,
      Array.from({ length: 5 }, () => record),
      'commit',
    )
    const before = member()
    await before.start()
    await clock.advance(100)
    const at = before.consumer.assignment().find(({ partition }) => partition === 0)!
    expect(
      await clock.runUntil(before.consumer.commit([{ ...at, nextOffset: 2, metadata: '' }], clock.now() + 1_000)),
    ).toEqual(['committed'])
    await before.stop()
    for (let times = 0; times < 3; times += 1)
      cluster.faults.failNext({ api: 'offsetFetch' }, brokerCode.STALE_MEMBER_EPOCH)
    const after = member({ from: 'latest' })
    await after.start()
    await clock.advance(5_000)
    expect(after.offsets('t', 0)).toEqual([2, 3, 4])
    await stopAll(after)
  })

  it('divide by the assignor that they ask for; one that the broker does not have fails them with what to do', async () => {
    const one = member({ remoteAssignor: 'range' })
    await one.start()
    expect(cluster.group('g')?.protocolName).toBe('range')
    await stopAll(one)
    const other = member({ remoteAssignor: 'alphabetical' })
    await expect(other.start()).rejects.toThrow(/UNSUPPORTED_ASSIGNOR.*group\.consumer\.assignors/)
  })
})
