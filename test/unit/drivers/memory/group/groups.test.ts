import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import type { JoinGroupAnswer, JoinGroupRequest } from '../../../../../src/connection/requests/groups.js'
import type { MemoryClusterOptions } from '../../../../../src/drivers/memory/memory-options.js'
import { commitRequest, joinRequest, setUp } from '../fixture.js'

const assignmentOf = (partition: number) => ({ partitions: [{ topic: 't', partition }], userData: null })

/** A cluster with a topic and members that join, sync and beat by hand. */
async function groupSetUp(options: MemoryClusterOptions = {}) {
  const base = await setUp(options)
  const { clock, cluster, connect } = base
  cluster.createTopic('t', { partitions: 3 })
  const at = () => cluster.coordinatorOf('g')

  const member = async (name: string, joining: Partial<JoinGroupRequest> = {}) => {
    const client = await connect(name)
    let memberId = ''
    let generationId = -1
    const identity = () => ({ groupId: 'g', generationId, memberId, groupInstanceId: joining.groupInstanceId ?? null })
    const takeIn = (answer: JoinGroupAnswer) => {
      memberId = answer.memberId
      if (answer.errorCode === 0) generationId = answer.generationId
      return answer
    }
    const join = async (rest: Partial<JoinGroupRequest> = {}): Promise<JoinGroupAnswer> => {
      const answer = takeIn(await client.send(at(), joinRequest({ ...joining, memberId, ...rest }), 'group'))
      return answer.errorCode === brokerCode.MEMBER_ID_REQUIRED ? join(rest) : answer
    }
    return {
      ...client,
      get memberId() {
        return memberId
      },
      set memberId(id: string) {
        memberId = id
      },
      identity,
      join,
      sync: (assignments: readonly { memberId: string; partition: number }[] = [], generation = generationId) =>
        client.send(
          at(),
          {
            api: 'syncGroup',
            ...identity(),
            generationId: generation,
            assignments: assignments.map((each) => ({
              memberId: each.memberId,
              assignment: assignmentOf(each.partition),
            })),
          },
          'group',
        ),
      heartbeat: async (rest = {}) =>
        (await clock.runUntil(client.send(at(), { api: 'heartbeat', ...identity(), ...rest }))).errorCode,
      commit: async (offset: number, rest = {}) =>
        (await clock.runUntil(client.send(at(), commitRequest(offset, { ...identity(), ...rest })))).partitions[0]!
          .errorCode,
      leave: async () => {
        const { groupId, groupInstanceId } = identity()
        const request = { api: 'leaveGroup', groupId, groupInstanceId, memberId } as const
        return (await clock.runUntil(client.send(at(), request))).errorCode
      },
    }
  }
  type Member = Awaited<ReturnType<typeof member>>
  /** Brings the first, leading member of the list and all others into one stable generation. */
  const stabilise = async (...members: readonly Member[]) => {
    const joined = members.map((each) => each.join())
    const answers = await clock.runUntil(Promise.all(joined))
    const leader = members.find((each) => each.memberId === answers[0]!.leader)!
    const plan = members.map((each, partition) => ({ memberId: each.memberId, partition }))
    await clock.runUntil(Promise.all(members.map((each) => each.sync(each === leader ? plan : []))))
    return { answers, leader }
  }
  return { ...base, at, member, stabilise, group: () => cluster.group('g')! }
}

describe('groups of the memory cluster', () => {
  it('sends a new member away with an id first, and knows only that id', async () => {
    const { at, ask, group } = await groupSetUp()
    const first = await ask(at(), joinRequest(), 'group')
    expect(first).toMatchObject({ errorCode: brokerCode.MEMBER_ID_REQUIRED, generationId: -1 })
    expect(first.memberId).toMatch(/^test-/)
    expect(group().state).toBe('Empty')
    const unknown = await ask(at(), joinRequest({ memberId: 'made-up' }), 'group')
    expect(unknown.errorCode).toBe(brokerCode.UNKNOWN_MEMBER_ID)
    const joined = await ask(at(), joinRequest({ memberId: first.memberId }), 'group')
    expect(joined).toMatchObject({ errorCode: 0, generationId: 1, leader: first.memberId, protocolName: 'range' })
    expect(joined.members.map(({ memberId }) => memberId)).toEqual([first.memberId])
  })

  it('tells the leader alone about the members, and hands its assignment to each', async () => {
    const { clock, member, group } = await groupSetUp()
    const [a, b] = [await member('a'), await member('b')]
    const [first, second] = await clock.runUntil(Promise.all([a.join(), b.join()]))
    const [leader, follower] = first.leader === a.memberId ? [a, b] : [b, a]
    expect([first.generationId, second.generationId]).toEqual([1, 1])
    expect([first, second].map(({ members }) => members.length).sort()).toEqual([0, 2])
    expect(group().state).toBe('CompletingRebalance')

    const parked = follower.sync()
    await clock.advance(100)
    const plan = [leader, follower].map((each, partition) => ({ memberId: each.memberId, partition }))
    expect((await clock.runUntil(leader.sync(plan))).assignment).toEqual(assignmentOf(0))
    expect((await clock.runUntil(parked)).assignment).toEqual(assignmentOf(1))
    expect(group().state).toBe('Stable')
    expect((await clock.runUntil(follower.sync())).assignment).toEqual(assignmentOf(1))
  })

  it('makes everybody rejoin when a member comes, and parks joins until all are there', async () => {
    const { clock, member, stabilise, group } = await groupSetUp()
    const [a, b] = [await member('a'), await member('b')]
    await stabilise(a)
    expect(await a.heartbeat()).toBe(0)
    const joining = b.join()
    await clock.advance(10)
    expect(group().state).toBe('PreparingRebalance')
    expect(await a.heartbeat()).toBe(brokerCode.REBALANCE_IN_PROGRESS)
    expect((await clock.runUntil(a.sync())).errorCode).toBe(brokerCode.REBALANCE_IN_PROGRESS)
    const [again, joined] = await clock.runUntil(Promise.all([a.join(), joining]))
    expect([again.generationId, joined.generationId]).toEqual([2, 2])
    expect(again.leader).toBe(a.memberId)
  })

  it('goes on without a member that does not rejoin within the rebalance timeout', async () => {
    const { clock, member, stabilise } = await groupSetUp()
    const timeouts = { rebalanceTimeoutMs: 4_000, sessionTimeoutMs: 60_000 }
    const [a, b] = [await member('a', timeouts), await member('b', timeouts)]
    await stabilise(a)
    const start = clock.now()
    const joined = await clock.runUntil(b.join())
    expect(clock.now() - start).toBe(4_000)
    expect(joined).toMatchObject({ generationId: 2, leader: b.memberId })
    expect(await a.heartbeat()).toBe(brokerCode.UNKNOWN_MEMBER_ID)
  })

  it('removes a member whose session runs out, and keeps one that beats', async () => {
    const { clock, member, stabilise, group } = await groupSetUp()
    const [a, b] = [await member('a'), await member('b')]
    await stabilise(a, b)
    for (let beat = 0; beat < 4; beat += 1) {
      await clock.advance(3_000)
      await a.heartbeat()
    }
    expect(group().members.map(({ memberId }) => memberId)).toEqual([a.memberId])
    expect(await a.heartbeat()).toBe(brokerCode.REBALANCE_IN_PROGRESS)
    expect(await b.heartbeat()).toBe(brokerCode.UNKNOWN_MEMBER_ID)
    await clock.advance(60_000)
    expect(group()).toMatchObject({ state: 'Empty', members: [] })
  })

  it('removes a member that joined and never syncs', async () => {
    const { clock, member, group } = await groupSetUp()
    const a = await member('a', { rebalanceTimeoutMs: 5_000, sessionTimeoutMs: 60_000 })
    await clock.runUntil(a.join())
    await clock.advance(4_999)
    expect(group().state).toBe('CompletingRebalance')
    await clock.advance(1)
    expect(group().state).toBe('Empty')
  })

  it('rebalances at once when a member leaves', async () => {
    const { member, stabilise, group } = await groupSetUp()
    const [a, b] = [await member('a'), await member('b')]
    await stabilise(a, b)
    expect(await b.leave()).toBe(0)
    expect(await b.leave()).toBe(brokerCode.UNKNOWN_MEMBER_ID)
    expect(group().state).toBe('PreparingRebalance')
    expect(await a.leave()).toBe(0)
    expect(group()).toMatchObject({ state: 'Empty', generationId: 2 })
  })

  it('refuses other generations, members and brokers', async () => {
    const { at, member, stabilise } = await groupSetUp()
    const a = await member('a')
    await stabilise(a)
    expect(await a.heartbeat({ generationId: 7 })).toBe(brokerCode.ILLEGAL_GENERATION)
    expect(await a.heartbeat({ memberId: 'b' })).toBe(brokerCode.UNKNOWN_MEMBER_ID)
    expect(await a.heartbeat({ groupId: '' })).toBe(brokerCode.INVALID_GROUP_ID)
    const elsewhere = await a.ask((at() + 1) % 3, { api: 'heartbeat', ...a.identity() })
    expect(elsewhere.errorCode).toBe(brokerCode.NOT_COORDINATOR)
  })

  it('lets a follower that joins again with the same metadata stay, and rebalances for the leader', async () => {
    const { clock, member, stabilise, group } = await groupSetUp()
    const [a, b] = [await member('a'), await member('b')]
    const { leader } = await stabilise(a, b)
    const follower = leader === a ? b : a
    expect(await clock.runUntil(follower.join())).toMatchObject({ errorCode: 0, generationId: 1 })
    expect(group().state).toBe('Stable')
    void leader.join()
    await clock.advance(10)
    expect(group().state).toBe('PreparingRebalance')
  })

  it('chooses the protocol that most members prefer among those all have', async () => {
    const { clock, member } = await groupSetUp()
    const { subscription } = joinRequest().protocols[0]!
    const offering = (...names: string[]) => ({ protocols: names.map((name) => ({ name, subscription })) })
    const members = [
      await member('a', offering('x', 'y')),
      await member('b', offering('y', 'x')),
      await member('c', offering('z', 'y', 'x')),
    ]
    const answers = await clock.runUntil(Promise.all(members.map((each) => each.join())))
    expect(answers.map(({ protocolName }) => protocolName)).toEqual(['y', 'y', 'y'])
    const stranger = await member('d', offering('w'))
    expect((await clock.runUntil(stranger.join())).errorCode).toBe(brokerCode.INCONSISTENT_GROUP_PROTOCOL)
  })

  it.each([100, 3_600_000])('refuses a session timeout of %i ms', async (sessionTimeoutMs) => {
    const { at, ask } = await groupSetUp()
    expect((await ask(at(), joinRequest({ sessionTimeoutMs }), 'group')).errorCode).toBe(
      brokerCode.INVALID_SESSION_TIMEOUT,
    )
  })

  it('gives a static member that restarts its place back without a rebalance, and fences its old id', async () => {
    const { clock, member, stabilise, group } = await groupSetUp()
    const [a, b] = [await member('a', { groupInstanceId: 'one' }), await member('b', { groupInstanceId: 'two' })]
    await stabilise(a, b)
    const restarted = await member('b', { groupInstanceId: 'two' })
    const joined = await clock.runUntil(restarted.join())
    expect(joined).toMatchObject({ errorCode: 0, generationId: 1 })
    expect(joined.memberId).not.toBe(b.memberId)
    expect(joined.members).toEqual([])
    expect((await clock.runUntil(restarted.sync())).assignment).toEqual(assignmentOf(1))
    expect(group().state).toBe('Stable')
    expect(await b.heartbeat()).toBe(brokerCode.FENCED_INSTANCE_ID)
    expect(await b.commit(5)).toBe(brokerCode.FENCED_INSTANCE_ID)
  })

  it('keeps a static member that does not rejoin until its session runs out', async () => {
    const { clock, member, stabilise, group } = await groupSetUp()
    const timeouts = { rebalanceTimeoutMs: 2_000, sessionTimeoutMs: 20_000 }
    const [a, b] = [await member('a', { groupInstanceId: 'one', ...timeouts }), await member('b', timeouts)]
    await stabilise(a)
    const joined = await clock.runUntil(b.join())
    expect(joined.members.map(({ groupInstanceId }) => groupInstanceId)).toEqual(['one', null])
    expect(group().members).toHaveLength(2)
  })

  it('throws a killed member out as if its session had expired', async () => {
    const { cluster, member, stabilise } = await groupSetUp()
    const [a, b] = [await member('a'), await member('b')]
    await stabilise(a, b)
    expect(cluster.faults.killMember('g', b.memberId)).toBe(true)
    expect(cluster.faults.killMember('g', b.memberId)).toBe(false)
    expect(await b.heartbeat()).toBe(brokerCode.UNKNOWN_MEMBER_ID)
    expect(await a.heartbeat()).toBe(brokerCode.REBALANCE_IN_PROGRESS)
  })

  it('keeps members and offsets when the coordinator moves, and forgets a rebalance under way', async () => {
    const { clock, cluster, at, member, stabilise, group } = await groupSetUp()
    const [a, b] = [await member('a'), await member('b')]
    await stabilise(a)
    await a.commit(42)
    const old = at()
    const parked = b.join()
    await clock.advance(10)
    cluster.faults.moveCoordinator('g')
    expect(at()).not.toBe(old)
    expect((await clock.runUntil(parked)).errorCode).toBe(brokerCode.NOT_COORDINATOR)
    expect(group()).toMatchObject({ state: 'Stable', generationId: 1 })
    expect(await a.heartbeat()).toBe(0)
    expect(cluster.committed('g')).toMatchObject([{ offset: 42 }])
    const atOld = await a.ask(old, { api: 'heartbeat', ...a.identity() })
    expect(atOld.errorCode).toBe(brokerCode.NOT_COORDINATOR)
  })

  it('finds another coordinator when a broker dies', async () => {
    const { cluster, at, ask, member, stabilise } = await groupSetUp()
    const a = await member('a')
    await stabilise(a)
    const old = at()
    cluster.faults.stopBroker(old)
    const up = [0, 1, 2].find((node) => node !== old)!
    const found = await ask(up, { api: 'findCoordinator', key: 'g', keyType: 'group' })
    expect(found).toMatchObject({ errorCode: 0, nodeId: at() })
    expect(found.nodeId).not.toBe(old)
    expect(await a.heartbeat()).toBe(0)
  })

  it('waits for more members before the first generation when told to', async () => {
    const { clock, member } = await groupSetUp({ initialRebalanceDelayMs: 3_000 })
    const [a, b] = [await member('a'), await member('b')]
    const start = clock.now()
    const first = a.join()
    await clock.advance(2_000)
    const [one, two] = await clock.runUntil(Promise.all([first, b.join()]))
    expect([one.generationId, two.generationId, clock.now() - start]).toEqual([1, 1, 6_000])
  })
})

describe('offsets committed to the memory cluster', () => {
  it('are taken from a member of the generation and kept with their metadata', async () => {
    const { at, ask, member, stabilise } = await groupSetUp()
    const a = await member('a')
    await stabilise(a)
    const committed = { topic: 't', partition: 0, offset: 12, leaderEpoch: 3, metadata: 'note' }
    const partitions = [{ ...committed, topicId: null }]
    expect(await a.commit(12, { partitions })).toBe(0)
    expect(await a.commit(13, { generationId: 9 })).toBe(brokerCode.ILLEGAL_GENERATION)
    expect(await a.commit(13, { memberId: 'other' })).toBe(brokerCode.UNKNOWN_MEMBER_ID)
    expect(await a.commit(13, { memberId: '', generationId: -1 })).toBe(brokerCode.UNKNOWN_MEMBER_ID)
    const fetchAll = { api: 'offsetFetch', groupId: 'g', partitions: null, requireStable: true } as const
    expect((await ask(at(), fetchAll)).partitions).toEqual([{ ...committed, errorCode: 0 }])
    const some = await ask(at(), { ...fetchAll, partitions: [{ topic: 't', partition: 1 }] })
    expect(some.partitions).toMatchObject([{ partition: 1, offset: -1, errorCode: 0 }])
  })

  it('are still taken while members rejoin, and not while the assignment is made', async () => {
    const { clock, cluster, member, stabilise } = await groupSetUp()
    const [a, b] = [await member('a'), await member('b')]
    await stabilise(a)
    const joining = b.join()
    await clock.advance(10)
    expect(await a.commit(5)).toBe(0)
    await clock.runUntil(Promise.all([a.join(), joining]))
    expect(await a.commit(6)).toBe(brokerCode.REBALANCE_IN_PROGRESS)
    expect(cluster.committed('g')).toMatchObject([{ offset: 5 }])
  })

  it('are taken without a member only while the group is empty', async () => {
    const { at, ask, cluster, member, stabilise } = await groupSetUp()
    const simple = async (offset: number) => (await ask(at(), commitRequest(offset))).partitions[0]!.errorCode
    expect(await simple(1)).toBe(0)
    await stabilise(await member('a'))
    expect(await simple(2)).toBe(brokerCode.UNKNOWN_MEMBER_ID)
    const ofNoGroup = commitRequest(1, { groupId: 'h', generationId: 4, memberId: 'm' })
    const refused = await ask(cluster.coordinatorOf('h'), ofNoGroup)
    expect(refused.partitions[0]!.errorCode).toBe(brokerCode.ILLEGAL_GENERATION)
  })

  it('refuse metadata that is too long and partitions that do not exist, one by one', async () => {
    const { at, ask, cluster } = await groupSetUp()
    const partition = commitRequest(7).partitions[0]!
    const answer = await ask(
      at(),
      commitRequest(7, {
        partitions: [
          { ...partition, metadata: 'x'.repeat(4_097) },
          { ...partition, partition: 1, metadata: 'x'.repeat(4_096) },
          { ...partition, partition: 9 },
        ],
      }),
    )
    expect(answer.partitions.map(({ errorCode }) => errorCode)).toEqual([
      brokerCode.OFFSET_METADATA_TOO_LARGE,
      brokerCode.NONE,
      brokerCode.UNKNOWN_TOPIC_OR_PARTITION,
    ])
    expect(cluster.committed('g').map((each) => each.partition)).toEqual([1])
    cluster.deleteTopic('t')
    expect(cluster.committed('g')).toEqual([])
  })
})
