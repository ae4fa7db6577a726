import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string, type DrainReport, type Messaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { until } from '../support/waiting.js'

const requestTimeoutMs = 1_000

describe('Kafka and the commits of one member', () => {
  let cluster: KafkaCluster
  /** Past the proxy, so that looking on disturbs nothing. */
  let onlooker: Messaging

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 1, proxies: true })
    onlooker = messagingOver(cluster.internalBrokers)
  })

  afterAll(async () => {
    await onlooker.close()
    await cluster.stop()
  })

  it('a commit that was given up and lands after newer ones takes the group back; it is overwritten and reported', async () => {
    const topic = defineTopic({ name: 'late-commit', value: string(), partitions: 1, replicationFactor: 1 })
    await onlooker.ensureTopics([topic])
    const committed = async () => (await onlooker.admin.committedOffsets('late'))[0]?.offset
    const producer = onlooker.producer()
    const drains: DrainReport[] = []
    const messaging = messagingOver(cluster.brokers)
    const consumer = messaging.consumer({
      group: 'late',
      topics: [topic],
      commit: 'each',
      requestTimeoutMs,
      handle: () => undefined,
      onDrained: (report) => void drains.push(report),
    })
    await consumer.start()
    await producer.send(topic, 'committed')
    await until('the first commit', async () => (await committed()) === 1)

    const straggler = cluster.proxy(1).hold({ api: 'OffsetCommit' })
    await producer.send(topic, 'in doubt')
    await straggler.struck
    await until('the commit in doubt', () => consumer.facts().commits['in-doubt'] === 1)
    for (let count = 0; count < 5; count++) await producer.send(topic, 'more')
    await until('a newer commit', async () => (await committed()) === 7)

    // What puts it right waits until the late commit was seen, each time that it is sent.
    const held = Array.from({ length: 100 }, () => cluster.proxy(1).hold({ api: 'OffsetCommit' }))
    straggler.release()
    await until('Kafka to take the late commit', async () => (await committed()) === 2, { everyMs: 5 })
    for (const each of held) each.release()
    await until('the group to be where it was', async () => (await committed()) === 7)

    await messaging.close()
    expect(await committed()).toBe(7)
    expect(drains.at(-1)).toMatchObject({
      committed: [{ offset: 7 }],
      possibleDuplicates: [{ topic: topic.name, partition: 0, from: 2, to: 7 }],
    })
  })

  it('a commit of a topic that was deleted does not hold up the close', async () => {
    const topic = defineTopic({ name: 'deleted', value: string(), partitions: 1, replicationFactor: 1 })
    await onlooker.ensureTopics([topic])
    const messaging = messagingOver(cluster.brokers)
    let handled = 0
    const commit = { everyMs: 3_600_000, everyMessages: 1_000_000 }
    const handle = () => void (handled += 1)
    const consumer = messaging.consumer({ group: 'deleted', topics: [topic], commit, handle })
    await consumer.start()
    await onlooker.producer().send(topic, 'handled, not committed')
    await until('the record', () => handled === 1)
    await onlooker.admin.deleteTopics([topic.name])
    const from = performance.now()
    await messaging.close()
    // Held up would be all that a close may take.
    expect(performance.now() - from).toBeLessThan(20_000)
    expect(consumer.facts().commits).toMatchObject({ committed: 0, 'no-partition': 1 })
  })
})

function messagingOver(brokers: readonly string[]): Messaging {
  return createMessaging({
    driver: kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING }),
    durability: 'off',
  })
}
