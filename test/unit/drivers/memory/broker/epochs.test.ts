import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import { fetchRequest, setUp } from '../fixture.js'

async function threeReplicas() {
  const setup = await setUp()
  const { cluster, ask, leader } = setup
  cluster.createTopic('t', { configs: { 'unclean.leader.election.enable': 'true' } })
  const endOf = async (leaderEpoch: number, currentLeaderEpoch = -1) => {
    const partitions = [{ topic: 't', partition: 0, currentLeaderEpoch, leaderEpoch }]
    const answer = await ask(leader('t'), { api: 'offsetForLeaderEpoch', partitions })
    return answer.partitions[0]!
  }
  return { ...setup, endOf }
}

describe('leader epochs of the memory cluster', () => {
  it('stand in every batch, and each ends where the next leader began', async () => {
    const { cluster, produce, fetch, endOf } = await threeReplicas()
    await produce({ topic: 't' })
    await produce({ topic: 't' })
    cluster.faults.moveLeader('t', 0)
    await produce({ topic: 't' })
    expect((await fetch('t', 0)).batches.map(({ leaderEpoch }) => leaderEpoch)).toEqual([0, 0, 1])
    expect(await endOf(0)).toMatchObject({ errorCode: 0, leaderEpoch: 0, endOffset: 2 })
    expect(await endOf(1)).toMatchObject({ errorCode: 0, leaderEpoch: 1, endOffset: 3 })
    expect(await endOf(5)).toMatchObject({ errorCode: 0, leaderEpoch: -1, endOffset: -1 })
  })

  it('an epoch without records is told by the one before it', async () => {
    const { cluster, produce, endOf } = await threeReplicas()
    await produce({ topic: 't' })
    cluster.faults.moveLeader('t', 0)
    cluster.faults.moveLeader('t', 0)
    await produce({ topic: 't' })
    expect(await endOf(1)).toMatchObject({ leaderEpoch: 0, endOffset: 1 })
  })

  it('after an unclean election end where the log was cut, though it is longer again', async () => {
    const { cluster, produce, endOf, leader } = await threeReplicas()
    await produce({ topic: 't' })
    const [first] = cluster.partitionFacts('t', 0).replicas
    for (const node of cluster.partitionFacts('t', 0).replicas)
      if (node !== first) cluster.faults.pauseReplication(node)
    await produce({ topic: 't' }, { acks: 1 })
    await produce({ topic: 't' }, { acks: 1 })
    const lagging = cluster.partitionFacts('t', 0).replicas.find((node) => node !== leader('t'))!
    cluster.faults.moveLeader('t', 0, lagging)
    for (let count = 0; count < 5; count += 1) await produce({ topic: 't' }, { acks: 1 })
    expect(cluster.partitionFacts('t', 0).logEndOffset).toBe(6)
    expect(await endOf(0)).toMatchObject({ leaderEpoch: 0, endOffset: 1 })
  })

  it('a broker that leads in another epoch than asked for says so', async () => {
    const { cluster, endOf } = await threeReplicas()
    cluster.faults.moveLeader('t', 0)
    expect(await endOf(0, 0)).toMatchObject({ errorCode: brokerCode.FENCED_LEADER_EPOCH, endOffset: -1 })
    expect(await endOf(0, 1)).toMatchObject({ errorCode: brokerCode.NONE })
    expect(await endOf(0, 2)).toMatchObject({ errorCode: brokerCode.UNKNOWN_LEADER_EPOCH, endOffset: -1 })
  })
})

describe('topic ids of the memory cluster', () => {
  it('are another for a topic that is made anew, and a fetch by the former one reads nothing', async () => {
    const { cluster, ask, produce, fetch } = await setUp()
    const idOf = async () => (await ask(0, { api: 'metadata', topics: ['t'] })).topics[0]!.topicId
    cluster.createTopic('t')
    const former = await idOf()
    expect(former).toHaveLength(22)
    await produce({ topic: 't' })
    const byId = (topicId: string | null) =>
      fetch('t', 0, { partitions: fetchRequest('t', 0).partitions.map((each) => ({ ...each, topicId })) })
    expect(await byId(former)).toMatchObject({ errorCode: 0, highWatermark: 1 })
    cluster.deleteTopic('t')
    expect(await idOf()).toBeNull()
    cluster.createTopic('t')
    await produce({ topic: 't' })
    expect(await idOf()).not.toBe(former)
    expect(await byId(former)).toMatchObject({ errorCode: brokerCode.UNKNOWN_TOPIC_ID, batches: [] })
    expect(await byId(await idOf())).toMatchObject({ errorCode: 0, highWatermark: 1 })
  })
})
