import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytes, createMessaging, defineTopic, string, type Driver } from 'tidemark'
import { kafkajs } from 'tidemark/kafkajs'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { runKafkaCommand } from '../support/kafka-shell.js'
import { keptTopics, tryTopic } from '../support/kept-topics.js'
import { until } from '../support/waiting.js'

let cluster: KafkaCluster
let driver: Driver

beforeAll(async () => {
  // As a cluster is that nobody has set: one copy, one in sync.
  const properties = { 'default.replication.factor': 1, 'min.insync.replicas': 1 }
  cluster = await startCluster({ nodes: 3, properties })
  driver = kafkajs({ brokers: [...cluster.brokers] })
  for (const { name, replicationFactor, configs } of keptTopics) {
    await cluster.createTopic(name, { partitions: 2, replicationFactor, configs })
  }
})
afterAll(async () => {
  await cluster?.stop()
})

describe('topics of a cluster of three', () => {
  it.each(keptTopics)('$name, $use: $verdict', async (topic) => {
    const tried = await tryTopic(driver, topic)
    expect(tried.verdict).toBe(topic.verdict)
    if (!topic.verdict.startsWith('refused')) return
    expect((await tryTopic(driver, topic, 'warn')).verdict).toBe(topic.verdict.replace('refused', 'goes on, warned'))
    expect((await tryTopic(driver, topic, 'off')).verdict).toBe('goes on')
    // The command is what a person copies out of the error.
    await runKafkaCommand(cluster.installation, tried.command ?? '')
    await until('it is mended', async () => (await tryTopic(driver, topic, 'warn')).verdict === 'goes on')
    expect((await tryTopic(driver, topic)).verdict).toBe('goes on')
  })
})

describe('ensureTopics', () => {
  it('makes three copies of which two must have a record, and dead letters with as many partitions as their source', async () => {
    const messaging = createMessaging({ driver, logger: 'silent' })
    const orders = defineTopic({ name: 'made', value: string(), partitions: 4 })
    const letters = defineTopic({ name: 'made.dlq', value: bytes(), deadLettersOf: orders })
    expect(await messaging.ensureTopics([orders, letters])).toEqual(['made', 'made.dlq'])
    expect(await messaging.ensureTopics([orders, letters])).toEqual([])
    const described = await messaging.admin.describeTopics(['made', 'made.dlq'])
    expect(described.map(({ partitions }) => partitions.map(({ replicas }) => replicas.length))).toEqual([
      [3, 3, 3, 3],
      [3, 3, 3, 3],
    ])
    const configs = await messaging.admin.describeConfig('topic', 'made')
    expect(configs.get('min.insync.replicas')).toBe('2')
    await messaging.close()
  })

  it('tells what differs of a topic that exists', async () => {
    await cluster.createTopic('other', {
      partitions: 3,
      configs: { 'cleanup.policy': 'compact', 'retention.ms': 1000 },
    })
    const told: unknown[] = []
    const messaging = createMessaging({
      driver,
      logger: 'silent',
      durability: 'warn',
      onEvent: (event) => void (event.kind === 'topic-differs' && told.push(event.differences)),
    })
    const configs = { 'cleanup.policy': 'delete', 'retention.ms': 1_000 }
    await messaging.ensureTopics([defineTopic({ name: 'other', value: string(), partitions: 6, configs })])
    expect(told).toEqual([['partitions is 3, defined 6', 'cleanup.policy is compact, defined delete']])
    await messaging.close()
  })
})

describe('a cluster of three of which one is down', () => {
  it('is known as one of three', async () => {
    await cluster.createTopic('while-one-is-down', { replicationFactor: 1 })
    const leader = await cluster.leaderOf('while-one-is-down', 0)
    await cluster.node((leader % 3) + 1).kill()
    const messaging = createMessaging({ driver, logger: 'silent' })
    await until('the controller noticed', async () => (await messaging.admin.describeCluster()).brokers.length === 2)
    await messaging.close()
    const once = { name: 'while-one-is-down', use: 'written' } as const
    expect((await tryTopic(driver, once)).verdict).toBe('refused: replication factor is 1, wanted 3')
  })
})
