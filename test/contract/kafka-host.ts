import { stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { kafkajsConnections } from '../../src/drivers/kafkajs/connections.js'
import type { OutgoingRecord } from '../../src/message/record.js'
import { createProtocolDriver } from '../../src/protocol/driver.js'
import { systemRuntime } from '../../src/runtime/runtime.js'
import type { ContractHost } from '../../src/testing/contract/contract-host.js'
import { CaseWorld, record } from '../../src/testing/contract/contract-world.js'
import { mortalConnections } from '../../src/testing/contract/mortal-connections.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { defaultProducerQuota } from '../support/raw-requests.js'
import { delay, until } from '../support/waiting.js'

/** Real Kafka, one node behind a fault proxy, through kafkajs's sockets. What the harness does goes past the proxy. */
export async function kafkaHost(
  properties: Readonly<Record<string, string | number>> = {},
): Promise<{ readonly host: ContractHost; close(): Promise<void> }> {
  const cluster = await startCluster({ proxies: true, properties: { 'log.cleaner.backoff.ms': 200, ...properties } })
  const connections = mortalConnections(kafkajsConnections({ brokers: [...cluster.brokers] }))
  const harness = new Kafka({ brokers: [...cluster.internalBrokers], logLevel: logLevel.NOTHING })
  const host: ContractHost = {
    driver: createProtocolDriver(connections.factory, systemRuntime),
    // Less than a session lasts: who leaves must not be taken for one that died.
    slackMs: 5_000,
    // Those between 3.3.2 and 3.9.1 were not tried.
    holdsRefusedCommits: /^(2\.|3\.[0-8]\.)/.test(cluster.version),
    createTopic: (name, topic) => cluster.createTopic(name, topic),
    abilities: {
      async bounceBrokers() {
        await cluster.node(1).kill()
        await cluster.node(1).restart()
      },
      async silenceBrokers() {
        cluster.node(1).pause()
        // The signal reaches the broker's threads one after the other: some may still answer for a moment.
        await delay(250)
        return async () => {
          cluster.node(1).resume()
          await cluster.node(1).ready()
        }
      },
      loseNextProduceAnswer() {
        const trap = cluster.proxy(1).loseAnswer({ api: 'Produce' })
        return () => trap.hasStruck
      },
      holdNextProduceRequest() {
        const held = cluster.proxy(1).hold({ api: 'Produce' })
        return { isHeld: () => held.hasStruck, release: () => held.release() }
      },
      async appendTransaction(topic, partition, records, outcome) {
        const end = await openTransaction(harness, topic, partition, records)
        await end(outcome)
      },
      openTransaction: (topic, partition, records) => openTransaction(harness, topic, partition, records),
      topicWithHoles: (topic, count, kept) => topicWithHoles(cluster, host, topic, count, kept),
      async deleteRecordsBefore(topic, partition, offset) {
        const admin = harness.admin()
        await admin.connect()
        // kafkajs learns where the partitions are only from this.
        await admin.fetchTopicOffsets(topic)
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] })
        await admin.disconnect()
      },
      async loseRecords(topic, partition, write) {
        // What a machine loses with its power when nobody has a copy: Kafka then leads with the rest, in another epoch.
        const file = join(cluster.dataFolder(1), `${topic}-${partition}`, '00000000000000000000.log')
        const { size } = await stat(file)
        await write()
        // Kafka 3 takes a broker that was killed and is back at once for the one it was, epoch and all; not one that took leave.
        if (cluster.version.startsWith('3.')) await cluster.node(1).stop(40_000)
        else await cluster.node(1).kill()
        await truncate(file, size)
        await cluster.node(1).restart()
      },
      async throttleProducing() {
        // Kafka measures over ten seconds: the first 20,000 bytes are free, what goes beyond costs a second for each 2,000.
        const broker = cluster.internalBrokers[0] ?? ''
        await defaultProducerQuota(broker, 2_000)
        // The controller answers before the broker obeys: what is sent in between counts as sent without a quota.
        await delay(1_500)
        return () => defaultProducerQuota(broker, null)
      },
      killClient: (clientId) => connections.kill(clientId),
      expelMember: (groupId, memberId) => expelMember(cluster, groupId, memberId),
    },
  }
  return { host, close: () => cluster.stop() }
}

async function openTransaction(
  harness: Kafka,
  topic: string,
  partition: number,
  records: readonly OutgoingRecord[],
): Promise<(outcome: 'commit' | 'abort') => Promise<void>> {
  const transactionalId = `contract-${systemRuntime.random.uuid()}`
  const producer = harness.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const transaction = await producer.transaction()
  const messages = records.map(({ key, value, timestamp }) => {
    return { key, value, partition, timestamp: String(timestamp) }
  })
  await transaction.send({ topic, messages })
  return async (outcome) => {
    if (outcome === 'commit') await transaction.commit()
    else await transaction.abort()
    await producer.disconnect()
  }
}

/** Every record that is to go has the key of the last but one; the last one begins a new segment, so that the rest is compacted. */
async function topicWithHoles(
  cluster: KafkaCluster,
  host: ContractHost,
  topic: string,
  count: number,
  kept: readonly number[],
): Promise<void> {
  const configs = { 'cleanup.policy': 'compact', 'segment.ms': 60_000, 'min.cleanable.dirty.ratio': 0.01 }
  await cluster.createTopic(topic, { partitions: 1, configs })
  const world = new CaseWorld(host)
  const now = world.now()
  const records = Array.from({ length: count }, (_, offset) => {
    const ownKey = kept.includes(offset) && offset !== count - 2
    return record(`${offset}`, {
      key: Buffer.from(ownKey ? `kept ${offset}` : 'overwritten'),
      timestamp: offset === count - 1 ? now : now - 7_200_000,
    })
  })
  for (let at = 0; at < count - 1; at += 4) await world.write(topic, 0, records.slice(at, Math.min(at + 4, count - 1)))
  await world.write(topic, 0, records.slice(-1))
  await until(`${topic} is compacted`, async () => {
    const reader = await world.reader(topic)
    await until('it is read', () => reader.fetched.at(-1)?.nextOffset === count)
    await reader.stop()
    return reader.count() === kept.length
  })
  await world.end()
}

async function expelMember(cluster: KafkaCluster, groupId: string, memberId: string): Promise<void> {
  const connection = kafkajsConnections({ brokers: [...cluster.internalBrokers] }).open('contract-harness')
  const deadline = Date.now() + 10_000
  const find = { api: 'findCoordinator', key: groupId, keyType: 'group' } as const
  const { nodeId } = await connection.request('bootstrap', 'main', find, deadline)
  const leave = { api: 'leaveGroup', groupId, memberId, groupInstanceId: null } as const
  await connection.request(nodeId, 'group', leave, deadline)
  await connection.close()
}
