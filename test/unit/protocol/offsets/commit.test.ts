import { beforeEach, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { OffsetCommitAnswer, OffsetCommitRequest } from '../../../../src/connection/requests/offsets.js'
import type { OffsetToCommit } from '../../../../src/driver/consumer.js'
import { virtualClock, type VirtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ScriptedCluster } from '../cluster/scripted-cluster.js'
import { ConsumerHarness } from '../consume/consumer-harness.js'

const throttle = { throttleTimeMs: 0 }
let clock: VirtualClock
let cluster: ScriptedCluster
let harness: ConsumerHarness

beforeEach(async () => {
  clock = virtualClock()
  cluster = new ScriptedCluster(clock)
  cluster.append('t', 0, 3)
  cluster.append('t', 1, 3)
  harness = new ConsumerHarness(cluster, clock)
  await harness.start()
})

const commitOf = (nextOffset: number, partition = 0): OffsetToCommit => {
  const epoch = harness.consumer.assignment().find((at) => at.partition === partition)?.epoch ?? -1
  return { topic: 't', partition, epoch, nextOffset, metadata: '' }
}

const commit = (...offsets: readonly OffsetToCommit[]) =>
  clock.runUntil(harness.consumer.commit(offsets, clock.now() + 5_000))

const answering =
  (errorCode: number, partition = 0) =>
  ({ partitions }: OffsetCommitRequest): OffsetCommitAnswer => ({
    ...throttle,
    partitions: partitions.map((at) => ({ ...at, errorCode: at.partition === partition ? errorCode : 0 })),
  })

const topicUnknown = (name: string) => {
  return { errorCode: brokerCode.UNKNOWN_TOPIC_OR_PARTITION, name, topicId: null, isInternal: false, partitions: [] }
}

describe('a commit without an answer', () => {
  it('is in doubt when its bytes may have reached the broker', async () => {
    for (const failure of ['connection-lost', 'timed-out', 'unreadable-answer'] as const) {
      cluster.once('offsetCommit', () => Promise.reject(new RequestError(failure, 'maybe', 'gone')))
      expect(await commit(commitOf(1), commitOf(1, 1))).toEqual(['in-doubt', 'in-doubt'])
    }
  })

  it('is pending when no byte of it left', async () => {
    cluster.once('offsetCommit', () => Promise.reject(new RequestError('cannot-connect', 'never', 'refused')))
    expect(await commit(commitOf(1))).toEqual(['pending'])
  })

  it('is pending when no coordinator was found', async () => {
    cluster.once('offsetCommit', answering(brokerCode.NOT_COORDINATOR))
    await commit(commitOf(1))
    cluster.on('findCoordinator', () => 'silence')
    expect(await commit(commitOf(1))).toEqual(['pending'])
  })

  it('is in doubt for a partition that the answer leaves out', async () => {
    cluster.once('offsetCommit', ({ partitions }) => ({
      ...throttle,
      partitions: partitions.slice(0, 1).map((at) => ({ ...at, errorCode: 0 })),
    }))
    expect(await commit(commitOf(1), commitOf(1, 1))).toEqual(['committed', 'in-doubt'])
  })
})

describe('a partition that the coordinator does not know', () => {
  it('is gone when the metadata does not know it either', async () => {
    cluster.once('offsetCommit', answering(brokerCode.UNKNOWN_TOPIC_OR_PARTITION))
    cluster.on('metadata', ({ topics }) => ({
      ...throttle,
      brokers: [{ nodeId: 1, host: 'b', port: 1, rack: null }],
      clusterId: 'scripted',
      controllerId: 1,
      topics: (topics ?? []).map(topicUnknown),
    }))
    expect(await commit(commitOf(1), commitOf(1, 1))).toEqual(['no-partition', 'committed'])
  })

  it('is only new to it when the metadata knows it', async () => {
    cluster.once('offsetCommit', answering(brokerCode.UNKNOWN_TOPIC_OR_PARTITION))
    const asked = cluster.count('metadata')
    expect(await commit(commitOf(1))).toEqual(['pending'])
    expect(cluster.count('metadata')).toBe(asked + 1)
    expect(await commit(commitOf(1))).toEqual(['committed'])
  })

  it('is gone or not when nobody can say: it is asked again, and the answer is not waited for long', async () => {
    cluster.once('offsetCommit', answering(brokerCode.UNKNOWN_TOPIC_OR_PARTITION))
    cluster.on('metadata', () => 'silence')
    const from = clock.now()
    expect(await commit(commitOf(1))).toEqual(['pending'])
    expect(clock.now() - from).toBeLessThanOrEqual(1_001)
  })
})

describe('a partition that is given up while the coordinator is looked up', () => {
  it('is not committed', async () => {
    cluster.once('offsetCommit', answering(brokerCode.NOT_COORDINATOR))
    await commit(commitOf(1))
    let found = () => {}
    cluster.once('findCoordinator', async () => {
      await new Promise<void>((resolve) => (found = resolve))
      return 'usual' as const
    })
    const sent = cluster.count('offsetCommit')
    const outcome = harness.consumer.commit([commitOf(2)], clock.now() + 5_000)
    await clock.advance(10)
    const stopped = harness.consumer.stop(clock.now() + 5_000)
    await clock.advance(10)
    found()
    expect(await clock.runUntil(outcome)).toEqual(['lost'])
    await clock.runUntil(stopped)
    expect(cluster.count('offsetCommit')).toBe(sent)
  })
})

describe('a partition that is sought elsewhere while the coordinator is looked up', () => {
  it('is not committed where it stood before, and the others are', async () => {
    cluster.once('offsetCommit', answering(brokerCode.NOT_COORDINATOR))
    await commit(commitOf(1))
    let found = () => {}
    cluster.once('findCoordinator', async () => {
      await new Promise<void>((resolve) => (found = resolve))
      return 'usual' as const
    })
    const outcomes = harness.consumer.commit([commitOf(3), commitOf(2, 1)], clock.now() + 5_000)
    await clock.advance(10)
    harness.consumer.seek({ topic: 't', partition: 0 }, 0)
    found()
    expect(await clock.runUntil(outcomes)).toEqual(['pending', 'committed'])
    expect(cluster.requests('offsetCommit').at(-1)?.partitions).toMatchObject([{ partition: 1, offset: 2 }])
    expect(await commit(commitOf(0))).toEqual(['committed'])
  })
})
