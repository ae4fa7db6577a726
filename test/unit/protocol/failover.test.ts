import { describe, expect, it } from 'vitest'
import { createMemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'
import type { OutgoingBatch } from '../../../src/driver/producer.js'
import { heldRecords, noHeaders } from '../../../src/message/record.js'
import { Cluster } from '../../../src/protocol/cluster/cluster.js'
import { createProtocolProducer } from '../../../src/protocol/produce/producer.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { silentLogger } from '../../../src/telemetry/logger.js'
import { noMetrics } from '../../../src/telemetry/metrics.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { producerSettings } from '../../support/test-records.js'
import { ConsumerHarness } from './consume/consumer-harness.js'

const place = { topic: 't', partition: 0 }
const metadataApis = ['metadata'] as const

function world({ seed = 1, failoverMs = 0 }: { seed?: number; failoverMs?: number } = {}) {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(seed) }
  const memory = createMemoryCluster({ brokers: 3, runtime, latencyMs: [1, 3], failoverMs })
  memory.createTopic('t', { partitions: 1, replicationFactor: 3 })
  const settings = { logger: silentLogger, metrics: noMetrics, requestTimeoutMs: 5_000, metadataMaxAgeMs: 300_000 }
  const connection = memory.connectionFactory().open('test')
  const leader = () => memory.partitionFacts('t', 0).leader
  return { clock, runtime, memory, connection, settings, leader, in: (ms: number) => clock.now() + ms }
}

type World = ReturnType<typeof world>

const another = (leader: number) => (leader + 1) % 3

async function clusterOf({ clock, runtime, connection, settings, in: within }: World): Promise<Cluster> {
  const cluster = new Cluster(connection, runtime, settings)
  await clock.runUntil(cluster.refresh(['t'], within(5_000)))
  return cluster
}

async function producerOf({ clock, runtime, connection, in: within }: World) {
  const producer = createProtocolProducer(connection, runtime, producerSettings)
  await clock.runUntil(producer.loadTopic('t', within(5_000)))
  const send = (ms = 30_000) => clock.runUntil(producer.produce(oneRecord(), within(ms)), { limitMs: ms })
  await send()
  return { producer, send }
}

function oneRecord(): OutgoingBatch {
  const records = heldRecords([{ key: null, value: Buffer.from('v'), headers: noHeaders, timestamp: 0 }])
  return { ...place, records, sizeBytes: 10 }
}

/** Asks the broker, which does not lead, for one record. */
/** Under the first epoch, which is over: a broker that leads no more would give records as a follower otherwise. */
async function fetchAt({ clock, in: within }: World, cluster: Cluster, node: number) {
  const asked = { ...place, topicId: null, currentLeaderEpoch: 0, fetchOffset: 0, partitionMaxBytes: 1 }
  const limits = { maxWaitMs: 0, minBytes: 0, maxBytes: 1, isolation: 'read-uncommitted' } as const
  return clock.runUntil(
    cluster.connection.request(node, 'fetch', { api: 'fetch', ...limits, partitions: [asked] }, within(5_000)),
  )
}

describe('a hint of who leads', () => {
  it('counts at once when its epoch is higher, and metadata confirm it', async () => {
    const lab = world()
    const cluster = await clusterOf(lab)
    const before = lab.leader()
    lab.memory.faults.random({ apis: metadataApis, loseRequest: 1 })
    lab.memory.faults.moveLeader('t', 0, another(before))
    await fetchAt(lab, cluster, before)
    expect(cluster.leaderOf(place)).toMatchObject({ leader: another(before), leaderEpoch: 1 })
    lab.memory.faults.random(null)
    await lab.clock.advance(3_000)
    expect(cluster.leaderOf(place)).toMatchObject({ leader: another(before), leaderEpoch: 1 })
    await cluster.close()
    expect(lab.clock.pendingTimers).toBe(0)
  })

  it('is ignored when its epoch is not higher than what is known', async () => {
    const lab = world()
    const before = lab.leader()
    lab.memory.faults.lagMetadata(before)
    lab.memory.faults.moveLeader('t', 0, another(before))
    const cluster = new Cluster(lab.connection, lab.runtime, lab.settings)
    do await lab.clock.runUntil(cluster.refresh(['t'], lab.in(5_000)))
    while (cluster.leaderOf(place).leaderEpoch !== 1)
    const told = await fetchAt(lab, cluster, before)
    expect(told.partitions[0]?.currentLeader).toEqual({ leader: before, leaderEpoch: 0 })
    expect(cluster.leaderOf(place)).toMatchObject({ leader: another(before), leaderEpoch: 1 })
    await cluster.close()
  })

  it('of a former topic of the name, whose epochs were higher, is given up when metadata contradict it', async () => {
    const lab = world()
    for (let times = 0; times < 5; times += 1) lab.memory.faults.moveLeader('t', 0)
    const lagging = another(lab.leader())
    lab.memory.faults.lagMetadata(lagging)
    lab.memory.deleteTopic('t')
    lab.memory.createTopic('t', { partitions: 1, replicationFactor: 3 })
    const cluster = new Cluster(lab.connection, lab.runtime, lab.settings)
    do await lab.clock.runUntil(cluster.refresh(['t'], lab.in(5_000)))
    while (cluster.leaderOf(place).leaderEpoch !== 0)
    const truth = cluster.leaderOf(place).leader
    const third = [0, 1, 2].find((node) => node !== truth && node !== lagging)
    lab.memory.faults.moveLeader('t', 0, third)
    lab.memory.faults.random({ apis: metadataApis, loseRequest: 1 })
    await fetchAt(lab, cluster, lagging)
    expect(cluster.leaderOf(place).leaderEpoch).toBe(5)
    lab.memory.faults.random(null)
    lab.memory.faults.endMetadataLag(lagging)
    await lab.clock.advance(5_000)
    expect(cluster.leaderOf(place)).toMatchObject({
      leader: lab.leader(),
      leaderEpoch: lab.memory.partitionFacts('t', 0).leaderEpoch,
    })
    await cluster.close()
  })

  it('lets a batch be stored by the new leader without a word of metadata', async () => {
    const lab = world()
    const { producer, send } = await producerOf(lab)
    lab.memory.faults.moveLeader('t', 0, another(lab.leader()))
    lab.memory.faults.random({ apis: metadataApis, loseRequest: 1 })
    const startedAt = lab.clock.now()
    expect(await send()).toMatchObject({ outcome: 'stored' })
    expect(lab.clock.now() - startedAt).toBeLessThan(30)
    await producer.close()
  })

  it('lets a reader go on at the new leader without a word of metadata', async () => {
    const lab = world()
    const { producer, send } = await producerOf(lab)
    const reader = new ConsumerHarness(lab.memory.connectionFactory().open('reader'), lab.clock, { groupId: null })
    await reader.start()
    await lab.clock.runUntil(() => reader.offsets('t', 0).length === 1)
    lab.memory.faults.moveLeader('t', 0, another(lab.leader()))
    lab.memory.faults.random({ apis: metadataApis, loseRequest: 1 })
    await send()
    const storedAt = lab.clock.now()
    await lab.clock.runUntil(() => reader.offsets('t', 0).length === 2)
    expect(lab.clock.now() - storedAt).toBeLessThan(50)
    await producer.close()
  })
})

describe('after an election', () => {
  const seeds = [1, 2, 3, 4, 5, 6, 7]
  const median = (all: number[]) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)]!

  it('a batch is stored within 300 ms, at the median within 200, however long the election took', async () => {
    for (const failoverMs of [400, 9_000]) {
      const shares: number[] = []
      for (const seed of seeds) {
        const lab = world({ seed, failoverMs })
        const { producer, send } = await producerOf(lab)
        lab.memory.faults.stopBroker(lab.leader())
        const electedAt = lab.clock.now() + failoverMs
        expect(await send()).toMatchObject({ outcome: 'stored' })
        shares.push(lab.clock.now() - electedAt)
        await producer.close()
      }
      expect(Math.max(...shares)).toBeLessThan(300)
      expect(median(shares)).toBeLessThan(200)
    }
  })

  it('a reader is given records within 400 ms, at the median within 300', async () => {
    const shares: number[] = []
    for (const seed of seeds) {
      const lab = world({ seed, failoverMs: 3_000 })
      const { producer, send } = await producerOf(lab)
      const reader = new ConsumerHarness(lab.memory.connectionFactory().open('reader'), lab.clock, { groupId: null })
      await reader.start()
      await lab.clock.runUntil(() => reader.offsets('t', 0).length === 1)
      lab.memory.faults.stopBroker(lab.leader())
      const electedAt = lab.clock.now() + 3_000
      await send()
      await lab.clock.runUntil(() => reader.offsets('t', 0).length === 2)
      shares.push(lab.clock.now() - electedAt)
      await producer.close()
    }
    expect(Math.max(...shares)).toBeLessThan(400)
    expect(median(shares)).toBeLessThan(300)
  })

  it('nobody asks for a leader any more once the one that was complained about serves', async () => {
    const lab = world()
    const cluster = await clusterOf(lab)
    const asked = () => lab.memory.faults.injected().delay ?? 0
    lab.memory.faults.random({ apis: metadataApis, delay: 1, maxDelayMs: 1 })
    cluster.leaderLost(place, cluster.leaderOf(place))
    await lab.clock.advance(2_000)
    expect(asked()).toBeGreaterThan(6)
    cluster.leaderServes(place)
    const before = asked()
    await lab.clock.advance(2_000)
    expect(asked() - before).toBeLessThanOrEqual(1)
    await cluster.close()
  })

  it('a leader that never comes back is asked about less often after a while, and then no more', async () => {
    const lab = world()
    const cluster = await clusterOf(lab)
    const asked = () => lab.memory.faults.injected().delay ?? 0
    lab.memory.faults.random({ apis: metadataApis, delay: 1, maxDelayMs: 1 })
    cluster.leaderLost(place, cluster.leaderOf(place))
    await lab.clock.advance(16_000)
    expect(asked()).toBeLessThan(150)
    const before = asked()
    await lab.clock.advance(60_000)
    expect(asked() - before).toBeLessThanOrEqual(1)
    await cluster.close()
  })
})
