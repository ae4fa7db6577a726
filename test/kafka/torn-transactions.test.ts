import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import type { TransactionError } from '../../src/transactions.js'
import { readTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import type { ApiName } from '../support/kafka-frames.js'
import { seededRandom } from '../support/seeded-random.js'

/** Runs one transaction that sends each value at the same time as the others, and says how it ended. */
type Transact = (values: readonly { readonly topic: string; readonly value: string }[]) => Promise<Claim>
type Claim = 'committed' | 'aborted' | 'unknown'

const transactions = 12
const perTopic = 3

/** One scenario, drawn by its seed: the same transactions, of which the same requests lose the answer. */
async function scenario(cluster: KafkaCluster, name: string, seed: number, transact: Transact) {
  const random = seededRandom(seed)
  const topics = [`${name}-a`, `${name}-b`]
  for (const topic of topics) await cluster.createTopic(topic, { partitions: 1 })
  const claims: Claim[] = []
  for (let number = 0; number < transactions; number += 1) {
    const apis: readonly ApiName[] = ['Produce', 'Produce', 'EndTxn']
    const api = apis[Math.floor(random() * 4)]
    const proxy = cluster.proxy(1 + Math.floor(random() * cluster.nodes.length))
    if (api !== undefined) proxy.loseAnswer({ api })
    const values = Array.from({ length: perTopic }, (_, index) => `${number}.${index}`)
    claims.push(await transact(topics.flatMap((topic) => values.map((value) => ({ topic, value })))))
    for (const each of cluster.proxies) each.disarm()
  }
  const read = (await Promise.all(topics.map((topic) => readTopic(cluster, topic)))).flat()
  return claims.map((claim, number) => {
    const visible = read.filter(({ value }) => value?.toString().startsWith(`${number}.`))
    const different = new Set(visible.map(({ topic, value }) => `${topic} ${value?.toString()}`)).size
    const isWhole = different === topics.length * perTopic && visible.length === different
    return { claim, seen: isWhole ? 'whole' : visible.length === 0 ? 'nothing' : 'torn' }
  })
}

describe('transactions of which answers are lost', () => {
  let cluster: KafkaCluster

  beforeAll(async () => {
    cluster = await startCluster({ nodes: 3, proxies: true })
  })

  afterAll(() => cluster.stop())

  it('are whole or not there with tidemark, as it says', async () => {
    const driver = kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
    const messaging = createMessaging({ driver, profile: 'transactional', logger: 'silent' })
    const seen = await scenario(cluster, 'tidemark', 15, (values) =>
      messaging
        .transaction('tidemark', async (transaction) => {
          const send = (one: { topic: string; value: string }) =>
            transaction.send(defineTopic({ name: one.topic, value: string() }), one.value)
          await Promise.all(values.map(send))
        })
        .then(
          () => 'committed' as const,
          (error: unknown) => (error as TransactionError).outcome,
        ),
    )
    expect(seen).toEqual(Array.from({ length: transactions }, () => ({ claim: 'committed', seen: 'whole' })))
    await messaging.close()
  })

  it('are torn in the same scenario with bare kafkajs, which says that they are committed', async () => {
    const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING, requestTimeout: 3_000 })
    const producer = kafka.producer({
      ...{ idempotent: true, maxInFlightRequests: 1, transactionalId: 'kafkajs' },
      createPartitioner: Partitioners.DefaultPartitioner,
    })
    await producer.connect()
    const seen = await scenario(cluster, 'kafkajs', 15, async (values) => {
      const transaction = await producer.transaction()
      try {
        const send = ({ topic, value }: { topic: string; value: string }) =>
          transaction.send({ topic, acks: -1, messages: [{ value }] })
        await Promise.all(values.map(send))
        await transaction.commit()
        return 'committed'
      } catch {
        await transaction.abort().catch(() => undefined) // said in what can be seen
        return 'unknown'
      }
    })
    expect(seen).toContainEqual({ claim: 'committed', seen: 'torn' })
    await producer.disconnect()
  })
})
