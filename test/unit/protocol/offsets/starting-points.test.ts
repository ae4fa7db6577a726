import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { encodeCommitMetadata } from '../../../../src/offsets/commit-metadata.js'
import { identitySection, identityText } from '../../../../src/offsets/log-identity.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ScriptedCluster } from '../cluster/scripted-cluster.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

const metadataOf = (topicId: string) =>
  encodeCommitMetadata([identitySection(identityText({ clusterId: 'scripted', topicId }))])

/** A member of a group that another member leads; the topic has the id that `topicId` tells. */
async function follower(topicId: () => string | null, onOutOfRange: 'stop' | 'earliest') {
  const clock = virtualClock()
  const cluster = new ScriptedCluster(clock)
  cluster.append('t', 0, 10)
  cluster.on('metadata', ({ topics }) => {
    const id = topicId()
    if (id === null) return 'silence'
    return {
      throttleTimeMs: 0,
      brokers: [{ nodeId: 1, host: 'h', port: 1, rack: null }],
      clusterId: 'scripted',
      controllerId: 1,
      topics: (topics ?? []).map((name) => ({
        name,
        topicId: id,
        isInternal: false,
        errorCode: 0,
        partitions: [{ partition: 0, leader: 1, leaderEpoch: 0, replicas: [], isr: [], errorCode: 0 }],
      })),
    }
  })
  cluster.on('joinGroup', ({ memberId, protocols }) => ({
    throttleTimeMs: 0,
    errorCode: 0,
    generationId: cluster.count('joinGroup'),
    protocolName: protocols[0]?.name ?? '',
    leader: 'another',
    memberId: memberId === '' ? 'me' : memberId,
    members: [],
  }))
  let partitions = [0]
  cluster.on('syncGroup', () => ({
    throttleTimeMs: 0,
    errorCode: 0,
    assignment: { partitions: partitions.map((partition) => ({ topic: 't', partition })), userData: null },
  }))
  const harness = new ConsumerHarness(cluster, clock, { onOutOfRange, metadataMaxAgeMs: 600_000 })
  await harness.start()
  /** The group divides its partitions again: this member gets `mine`. */
  const rebalance = async (mine: readonly number[]) => {
    partitions = [...mine]
    cluster.once('heartbeat', () => ({ throttleTimeMs: 0, errorCode: brokerCode.REBALANCE_IN_PROGRESS }))
    await clock.advance(3_000)
  }
  return { clock, cluster, harness, rebalance }
}

describe('a commit in the log of now, met by a member that only knows the former one', () => {
  it.each(['stop', 'earliest'] as const)('starts where it says: %s', async (onOutOfRange) => {
    let id = 'old'
    const { cluster, harness, rebalance } = await follower(() => id, onOutOfRange)
    await rebalance([])
    id = 'new'
    cluster.committed.set('t-0', { offset: 7, metadata: metadataOf('new') })
    await rebalance([0])
    expect(harness.last('assigned')).toMatchObject([{ partition: 0, position: 7, log: 'scripted,new' }])
    expect(harness.kinds()).not.toContain('partitionFailed')
    await harness.stop()
  })

  it('waits until brokers tell which log stands now', async () => {
    let id: string | null = 'old'
    const { clock, cluster, harness, rebalance } = await follower(() => id, 'stop')
    await rebalance([])
    id = null
    cluster.committed.set('t-0', { offset: 7, metadata: metadataOf('new') })
    await rebalance([0])
    expect(harness.consumer.assignment()).toEqual([])
    id = 'new'
    await clock.advance(20_000)
    expect(harness.consumer.assignment()).toMatchObject([{ position: 7 }])
    await harness.stop()
  })
})
