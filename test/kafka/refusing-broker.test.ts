import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string, type Messaging, type TidemarkError } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { until } from '../support/waiting.js'

const user = 'alice'
const password = 'the-password-of-alice'
const refusing = 3
const partitions = [0, 1, 2]

/** Broker 3 has another list of users than brokers 1 and 2, as after a change that did not reach all. */
describe('one broker of three that refuses the authentication', () => {
  let cluster: KafkaCluster
  beforeAll(async () => {
    const listener = 'listener.name.client'
    cluster = await startCluster({
      nodes: 3,
      listener: { protocol: 'SASL_PLAINTEXT', properties: { [`${listener}.sasl.enabled.mechanisms`]: 'PLAIN' } },
      properties: (id) => ({
        [`${listener}.plain.sasl.jaas.config`]:
          'org.apache.kafka.common.security.plain.PlainLoginModule required ' +
          `user_${id === refusing ? 'somebody-else' : user}="${password}";`,
      }),
    })
  })
  afterAll(async () => {
    await cluster?.stop()
  })

  const open = (): Messaging =>
    createMessaging({
      driver: kafkajs({
        brokers: [...cluster.brokers],
        sasl: { mechanism: 'plain', username: user, password },
        logLevel: logLevel.NOTHING,
      }),
      durability: 'off',
      logger: 'silent',
    })

  /** Partition 0 is led by broker 1, and so on. */
  async function topicLedByEach(name: string) {
    await cluster.createTopic(name, { partitions: partitions.length })
    for (const partition of partitions) await cluster.moveLeader(name, partition, partition + 1)
    return defineTopic({ name, value: string() })
  }

  it('does not stand for the cluster: every client stores on the others, whichever broker it asks first', async () => {
    const topic = await topicLedByEach('stored')
    const endOf = async (client: number) => {
      const messaging = open()
      const stored = messaging.producer().send(topic, `record ${client}`, { partition: client % 2 })
      return stored.then(() => null).finally(() => messaging.close())
    }
    const clients = Array.from({ length: 12 }, (_, client) => client)
    expect(await Promise.all(clients.map(endOf))).toEqual(clients.map(() => null))
  })

  it('delays what it leads: told as not stored when time is up, stored once another broker leads', async () => {
    const topic = await topicLedByEach('delayed')
    const messaging = open()
    const late = messaging.producer({ deliveryTimeoutMs: 4_000 }).send(topic, 'late', { partition: refusing - 1 })
    const error = await late.catch((thrown: unknown) => thrown as TidemarkError)
    expect(error).toMatchObject({ outcome: 'not-stored', code: 'delivery-timeout' })
    expect((error as TidemarkError).message).toMatch(
      /127\.0\.0\.1:\d+ refused the authentication: .*check config\.sasl/,
    )
    expect((error as TidemarkError).message).not.toContain(password)
    const producer = messaging.producer({ deliveryTimeoutMs: 30_000 })
    const waiting = producer.send(topic, 'waiting', { partition: refusing - 1 })
    await producer.send(topic, 'elsewhere', { partition: 0 })
    await cluster.moveLeader(topic.name, refusing - 1, 1)
    expect(await waiting).toMatchObject({ offset: 0 })
    await messaging.close()
  })

  it('does not hold up a group: it reads what the others lead, and the rest once another broker leads', async () => {
    const topic = await topicLedByEach('read')
    await cluster.moveLeader(topic.name, refusing - 1, 1)
    const messaging = open()
    const producer = messaging.producer()
    for (const partition of partitions) await producer.send(topic, 'record', { partition })
    await cluster.moveLeader(topic.name, refusing - 1, refusing)
    const handled: number[] = []
    const consumer = messaging.consumer({
      group: await groupElsewhere(),
      topics: [topic],
      handle: ({ partition }) => void handled.push(partition),
    })
    await consumer.start()
    await until('what the others lead', () => handled.length === 2)
    expect([...handled].sort()).toEqual([0, 1])
    await cluster.moveLeader(topic.name, refusing - 1, 2)
    await until('the rest', () => handled.length === 3)
    expect(handled[2]).toBe(2)
    await messaging.close()
  })

  /** A group whose coordinator is another broker. */
  async function groupElsewhere(): Promise<string> {
    for (let at = 0; ; at++) if ((await cluster.coordinatorOf(`group-${at}`)) !== refusing) return `group-${at}`
  }
})
