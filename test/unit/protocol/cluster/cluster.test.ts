import { describe, expect, it } from 'vitest'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import { brokerCode, brokerError } from '../../../../src/connection/broker-error.js'
import { Cluster } from '../../../../src/protocol/cluster/cluster.js'
import { Denials } from '../../../../src/protocol/cluster/denials.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { silentLogger } from '../../../../src/telemetry/logger.js'
import { noMetrics } from '../../../../src/telemetry/metrics.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { ScriptedCluster } from './scripted-cluster.js'

function world(metadataMaxAgeMs = 300_000) {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(7) }
  const memory = createMemoryCluster({ brokers: 3, runtime })
  const connection = memory.connectionFactory().open('test')
  const cluster = new Cluster(connection, runtime, {
    logger: silentLogger,
    metrics: noMetrics,
    requestTimeoutMs: 5_000,
    metadataMaxAgeMs,
  })
  return { clock, memory, cluster, in: (ms: number) => clock.now() + ms }
}

describe('cluster', () => {
  it('knows leaders after a refresh and tells of a topic that does not exist', async () => {
    const { clock, memory, cluster, in: within } = world()
    memory.createTopic('a', { partitions: 2 })
    await clock.runUntil(cluster.refresh(['a', 'nothing'], within(5_000)))
    expect(cluster.partition('a', 1)?.leader).toBeGreaterThanOrEqual(0)
    expect(cluster.topic('nothing')?.errorCode).toBe(3)
    await cluster.close()
  })

  it('asks another broker after one second of silence', async () => {
    const { clock, memory, cluster, in: within } = world()
    memory.createTopic('a', { partitions: 1 })
    await clock.runUntil(cluster.connect(within(5_000)))
    const startedAt = clock.now()
    memory.faults.silence(0)
    memory.faults.silence(1)
    await clock.runUntil(cluster.refresh(['a'], within(10_000)))
    expect(clock.now() - startedAt).toBeLessThan(4_000)
    await cluster.close()
  })

  it('rejects at the deadline when no broker answers, and says why', async () => {
    const { clock, memory, cluster, in: within } = world()
    for (const node of [0, 1, 2]) memory.faults.stopBroker(node)
    const refused = expect(clock.runUntil(cluster.connect(within(3_000)))).rejects
    await refused.toMatchObject({
      code: 'cluster-unreachable',
      message: expect.stringMatching(/no broker answered metadata in time; last failure: \S/) as string,
      cause: expect.any(Error) as Error,
    })
    await cluster.close()
  })

  it('leaves no timer when it is closed while a caller waits to ask brokers again', async () => {
    for (const trouble of ['no broker', 'no coordinator'] as const) {
      const clock = virtualClock()
      const runtime = { clock, random: seededRandom(7) }
      const connection = new ScriptedCluster(clock)
      const settings = { logger: silentLogger, metrics: noMetrics, requestTimeoutMs: 5_000, metadataMaxAgeMs: 300_000 }
      const cluster = new Cluster(connection, runtime, settings)
      await clock.runUntil(cluster.connect(clock.now() + 5_000))
      connection.on('findCoordinator', () => {
        if (trouble === 'no broker') throw new RequestError('cannot-connect', 'never', 'nobody listens')
        return { throttleTimeMs: 0, errorCode: 15, nodeId: -1, host: '', port: -1 }
      })
      const found = cluster.coordinator('g', 'group', clock.now() + 60_000)
      const refused = expect(found).rejects.toMatchObject({ failure: 'closed' })
      await clock.runUntil(() => connection.count('findCoordinator') > 20)
      await clock.advance(5)
      await cluster.close()
      await refused
      expect(clock.pendingTimers).toBe(0)
    }
  })

  it('does not take the former topic of a broker that lags for a newer one, though it never saw it before', async () => {
    const { clock, memory, cluster, in: within } = world()
    memory.createTopic('a', { partitions: 2 })
    memory.faults.lagMetadata(2)
    memory.deleteTopic('a')
    memory.createTopic('a', { partitions: 1 })
    await clock.runUntil(cluster.refresh(['a'], within(5_000)))
    for (let times = 0; cluster.topic('a')?.partitions.length !== 1; times += 1) {
      if (times === 10) throw new Error('no broker told of the new topic')
      await clock.runUntil(cluster.refresh(['a'], within(5_000)))
    }
    const known = cluster.topic('a')?.topicId
    for (let times = 0; times < 12; times += 1) {
      await clock.runUntil(cluster.refresh(['a'], within(5_000)))
      expect(cluster.topic('a')?.topicId).toBe(known)
    }
    await cluster.close()
  })

  it('knows a topic that was made anew after one refresh, also while a single broker is up', async () => {
    for (const down of [[], [1, 2]]) {
      const { clock, memory, cluster, in: within } = world()
      memory.createTopic('a', { partitions: 1 })
      await clock.runUntil(cluster.refresh(['a'], within(5_000)))
      const former = cluster.topic('a')?.topicId
      memory.deleteTopic('a')
      memory.createTopic('a', { partitions: 1 })
      for (const node of down) memory.faults.stopBroker(node)
      await clock.runUntil(cluster.refresh(['a'], within(20_000)))
      expect(cluster.topic('a')?.topicId).not.toBe(former)
      await cluster.close()
    }
  })

  it('asks on in the background while brokers disagree whether a topic was made anew', async () => {
    const { clock, memory, cluster, in: within } = world()
    memory.createTopic('a', { partitions: 1 })
    await clock.runUntil(cluster.refresh(['a'], within(5_000)))
    const former = cluster.topic('a')?.topicId
    for (const node of [0, 1]) memory.faults.lagMetadata(node)
    memory.deleteTopic('a')
    memory.createTopic('a', { partitions: 1 })
    for (let times = 0; !cluster.isDisputed('a'); times += 1) {
      if (times === 10) throw new Error('the broker that knows the new topic was never asked')
      await clock.runUntil(cluster.refresh(['a'], within(5_000)))
    }
    expect(cluster.topic('a')?.topicId).toBe(former)
    for (const node of [0, 1]) memory.faults.endMetadataLag(node)
    await clock.advance(5_000)
    expect(cluster.topic('a')?.topicId).not.toBe(former)
    await cluster.close()
  })

  it('notices by age alone that partitions were added, however often another topic is complained about', async () => {
    const { clock, memory, cluster, in: within } = world(10_000)
    memory.createTopic('grows', { partitions: 1 })
    memory.createTopic('other', { partitions: 1 })
    await clock.runUntil(cluster.refresh(['grows', 'other'], within(5_000)))
    memory.addPartitions('grows', 3)
    for (let second = 0; second < 12; second += 1) {
      cluster.noteStale('other')
      await clock.advance(1_000)
    }
    expect(cluster.topic('grows')?.partitions).toHaveLength(3)
    await cluster.close()
  })

  it('begins again at the addresses that were given when all brokers that it knows were exchanged', async () => {
    const clock = virtualClock()
    const connection = new ScriptedCluster(clock)
    const settings = { logger: silentLogger, metrics: noMetrics, requestTimeoutMs: 5_000, metadataMaxAgeMs: 300_000 }
    const cluster = new Cluster(connection, { clock, random: seededRandom(7) }, settings)
    await clock.runUntil(cluster.connect(clock.now() + 5_000))
    const described = { throttleTimeMs: 0, clusterId: 'scripted', controllerId: 11, topics: [] }
    const asked: unknown[] = []
    connection.on('metadata', (_, node) => {
      asked.push(node)
      if (node === 1 || node === 2) throw new RequestError('cannot-connect', 'never', 'nobody listens')
      return { ...described, brokers: [{ nodeId: 11, host: 'h', port: 11, rack: null }] }
    })
    await clock.runUntil(cluster.refresh([], clock.now() + 5_000))
    expect(asked.slice(0, 3)).toEqual(expect.arrayContaining([1, 2, 'bootstrap']))
    asked.length = 0
    await clock.runUntil(cluster.refresh([], clock.now() + 5_000))
    expect(asked).toEqual([11])
    await cluster.close()
  })

  it('takes nothing from a broker of another cluster, and says so when all of them are', async () => {
    const clock = virtualClock()
    const connection = new ScriptedCluster(clock)
    const settings = { logger: silentLogger, metrics: noMetrics, requestTimeoutMs: 5_000, metadataMaxAgeMs: 300_000 }
    const cluster = new Cluster(connection, { clock, random: seededRandom(7) }, settings)
    await clock.runUntil(cluster.connect(clock.now() + 5_000))
    let others: readonly unknown[] = [2]
    const usual = { throttleTimeMs: 0, controllerId: 1, topics: [] }
    const brokers = [1, 2].map((nodeId) => ({ nodeId, host: 'h', port: nodeId, rack: null }))
    connection.on('metadata', (_, node) => {
      return others.includes(node)
        ? { ...usual, clusterId: 'another', brokers: [{ nodeId: 9, host: 'h', port: 9, rack: null }] }
        : { ...usual, clusterId: 'scripted', brokers }
    })
    for (let times = 0; times < 4; times += 1) await clock.runUntil(cluster.refresh([], clock.now() + 5_000))
    expect(connection.sent.some(({ node }) => node === 9)).toBe(false)
    others = [1, 2, 'bootstrap']
    await expect(clock.runUntil(cluster.refresh([], clock.now() + 60_000))).rejects.toMatchObject({
      failure: 'refused',
      message: expect.stringMatching(/belongs to cluster another, and this client to cluster scripted/) as string,
    })
    await cluster.close()
  })

  it('finds a leader again after a complaint, in the background', async () => {
    const { clock, memory, cluster, in: within } = world()
    memory.createTopic('a', { partitions: 1 })
    await clock.runUntil(cluster.refresh(['a'], within(5_000)))
    const before = cluster.partition('a', 0)?.leader as number
    memory.faults.moveLeader('a', 0)
    cluster.noteStale('a')
    await clock.runUntil(() => cluster.partition('a', 0)?.leader !== before, { limitMs: 5_000 })
    expect(cluster.partition('a', 0)?.leader).not.toBe(before)
    await cluster.close()
  })

  it('remembers a coordinator until told to forget it', async () => {
    const { clock, memory, cluster, in: within } = world()
    const first = await clock.runUntil(cluster.coordinator('g', 'group', within(5_000)))
    memory.faults.moveCoordinator('g', (first + 1) % 3)
    expect(await clock.runUntil(cluster.coordinator('g', 'group', within(5_000)))).toBe(first)
    cluster.forgetCoordinator('g', 'group')
    expect(await clock.runUntil(cluster.coordinator('g', 'group', within(5_000)))).toBe((first + 1) % 3)
    await cluster.close()
  })
})

describe('what is not permitted', () => {
  it('is told once for a topic, whichever of its partitions is refused, and anew when all of them were permitted', () => {
    const told: unknown[] = []
    const clock = virtualClock()
    const logger = { ...silentLogger, warn: (fields: object) => void told.push(fields) }
    const denials = new Denials({
      runtime: { clock, random: seededRandom(1) },
      settings: { sessionTimeoutMs: 1_000, logger },
    })
    const refused = (topic: string) =>
      brokerError(brokerCode.TOPIC_AUTHORIZATION_FAILED, 'fetching', { topic, partition: 0 })
    const places = ['t-0', 't-1', 't-2', 'u-0']
    for (const place of places) expect(denials.isFinal(place, refused(place.slice(0, 1)))).toBe(false)
    expect(told).toHaveLength(2)
    for (const place of places) denials.forget(place)
    expect(denials.isFinal('t-1', refused('t'))).toBe(false)
    expect(told).toHaveLength(3)
  })
})
