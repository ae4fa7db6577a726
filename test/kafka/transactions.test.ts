import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string, type Messaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { readTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'

/** 4.2 has agreed on `transaction.version` 2, 3.9 knows the first version alone. */
describe.each(['4.2.0', '3.9.1'])('transactions on Kafka %s', (version) => {
  let cluster: KafkaCluster
  const opened: Messaging[] = []

  beforeAll(async () => {
    cluster = await startCluster({ version, nodes: 1, proxies: true })
  }, 120_000)

  afterAll(async () => {
    await Promise.all(opened.map((messaging) => messaging.close({ force: true })))
    await cluster.stop()
  }, 60_000)

  function messagingOver(brokers = cluster.brokers): Messaging {
    const messaging = createMessaging({
      driver: kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING }),
      profile: 'transactional',
      durability: 'off',
      logger: 'silent',
    })
    opened.push(messaging)
    return messaging
  }

  async function topicsOf(name: string) {
    const topics = ['a', 'b'].map((part) => defineTopic({ name: `${name}-${part}`, value: string(), partitions: 2 }))
    for (const topic of topics) await cluster.createTopic(topic.name, { partitions: 2 })
    return topics as [(typeof topics)[0], (typeof topics)[0]]
  }

  const visible = async (topic: { readonly name: string }) =>
    (await readTopic(cluster, topic.name)).map(({ value }) => value?.toString()).sort()

  it('are visible as a whole when they are committed, and not at all when their handler fails', async () => {
    const [one, two] = await topicsOf('whole')
    const messaging = messagingOver()
    const result = await messaging.transaction('whole', async (transaction) => {
      await transaction.send(one, 'committed')
      await transaction.sendMany(two, ['also', 'committed'])
      return 'done'
    })
    expect(result).toBe('done')
    const failing = messaging.transaction('whole', async (transaction) => {
      await transaction.send(one, 'aborted')
      await transaction.send(two, 'aborted')
      throw new Error('no')
    })
    await expect(failing).rejects.toMatchObject({
      name: 'TransactionError',
      outcome: 'aborted',
      code: 'handler-failed',
    })
    for (let count = 0; count < 3; count += 1) {
      await messaging.transaction('whole', (transaction) => transaction.send(one, `after ${count}`))
    }
    expect(await visible(one)).toEqual(['after 0', 'after 1', 'after 2', 'committed'])
    expect(await visible(two)).toEqual(['also', 'committed'])
    await messaging.close()
  })
})
