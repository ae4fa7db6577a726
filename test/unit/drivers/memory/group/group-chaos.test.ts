import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import { seededRandom } from '../../../../../src/runtime/random.js'
import { joinRequest, setUp } from '../fixture.js'

/** Members that follow the protocol by the letter while everything around them fails, for a virtual minute. */
async function chaos(seed: number) {
  const random = seededRandom(seed)
  const { clock, cluster, connect } = await setUp({ latencyMs: [0, 20], failoverMs: 200 })
  cluster.createTopic('t', { partitions: 4 })
  const end = clock.now() + 60_000
  let isCalm = false

  const member = async ({ send }: Awaited<ReturnType<typeof connect>>, instanceId: string | null) => {
    const at = () => cluster.coordinatorOf('g')
    let memberId = ''
    const oneGeneration = async () => {
      const groupInstanceId = instanceId
      const join = joinRequest({ memberId, groupInstanceId, rebalanceTimeoutMs: 3_000, sessionTimeoutMs: 6_000 })
      const joined = await send(at(), join, 'group', 10_000)
      const { errorCode, generationId } = joined
      if (errorCode === brokerCode.UNKNOWN_MEMBER_ID || errorCode === brokerCode.FENCED_INSTANCE_ID) memberId = ''
      else if (joined.memberId !== '') memberId = joined.memberId
      if (errorCode !== 0) return
      const identity = { groupId: 'g', memberId, generationId, groupInstanceId }
      const assignments = joined.members.map((each, partition) => ({
        memberId: each.memberId,
        assignment: { partitions: [{ topic: 't', partition }], userData: null },
      }))
      const synced = await send(at(), { api: 'syncGroup', ...identity, assignments }, 'group', 10_000)
      if (synced.errorCode !== 0) return
      for (;;) {
        await clock.sleep(500)
        if (!isCalm && random.next() < 0.03) {
          await send(at(), { api: 'leaveGroup', ...identity }, 'group', 2_000)
          memberId = ''
          return
        }
        const beat = await send(at(), { api: 'heartbeat', ...identity }, 'group', 2_000)
        if (beat.errorCode === brokerCode.UNKNOWN_MEMBER_ID) memberId = ''
        if (beat.errorCode !== 0) return
      }
    }
    for (;;) {
      await oneGeneration().catch(() => undefined)
      await clock.sleep(50)
    }
  }
  const clients = []
  for (const name of ['m0', 'm1', 'm2', 'm3']) clients.push(await connect(name))
  for (const [index, client] of clients.entries()) void member(client, index === 3 ? 'static' : null)

  cluster.faults.random({ random, loseRequest: 0.01, loseAnswer: 0.02, delay: 0.05, hold: 0.01, maxHoldMs: 15_000 })
  while (clock.now() < end) {
    await clock.advance(random.next() * 2_000)
    const draw = random.next()
    const node = Math.floor(random.next() * 3)
    if (draw < 0.2) cluster.faults.killMember('g', 'any')
    else if (draw < 0.4) cluster.faults.moveCoordinator('g')
    else if (draw < 0.5) cluster.faults.stopBroker(node)
    else if (draw < 0.8) cluster.faults.startBroker(node)
    else if (draw < 0.9) cluster.faults.silence(node, 1_500)
  }
  isCalm = true
  cluster.faults.random(null)
  for (const node of [0, 1, 2]) cluster.faults.startBroker(node)
  await clock.advance(60_000)
  const group = cluster.group('g')!
  await cluster.close()
  return group
}

describe('a group under faults', () => {
  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    'comes to rest with all members and every partition assigned once (seed %i)',
    async (seed) => {
      const group = await chaos(seed)
      expect(group.generationId).toBeGreaterThan(3)
      expect(group.state).toBe('Stable')
      expect(group.members).toHaveLength(4)
      const assigned = group.members.flatMap(({ assignment }) => assignment.map(({ partition }) => partition))
      expect([...assigned].sort()).toEqual([0, 1, 2, 3])
    },
  )

  it('does the same again for the same seed', async () => {
    expect(await chaos(3)).toEqual(await chaos(3))
  })
})
