import { Kafka, logLevel } from 'kafkajs'
import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { java, withKafkaTool } from '../test/support/java.js'
import { presentLibrary } from './built.js'
import type { Library } from './library.js'
import { elsewhere, measureLatency, type Measured } from './measure.js'
import { printRatios, printTable } from './table.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const transactions = 1_000
const value = Buffer.alloc(200, 'x')

/** Transactions of one record, one after the other, on a real one-node Kafka, every client in every round, in turn. */
export async function runTransactions(): Promise<void> {
  const library = await presentLibrary()
  for (const version of ['4.2.0', '3.9.1']) {
    const cluster = await startCluster({ version, nodes: 1 })
    const results: Measured[] = []
    try {
      for (let round = 1; round <= rounds; round += 1) {
        process.stderr.write(`transactions on ${version}: round ${round} of ${rounds}\n`)
        results.push(await tidemarkRound(library, cluster, round))
        results.push(await kafkajsRound(cluster, round))
        results.push(await javaRound(cluster, round))
      }
      printTable(`transactions of one record: Kafka ${version}, 1 node, one after the other`, results)
      printRatios(results, [
        { ours: 'tidemark', theirs: 'Java', atLeast: 1 },
        { ours: 'tidemark', theirs: 'kafkajs', atLeast: 1 },
      ])
    } finally {
      await cluster.stop()
    }
  }
}

async function freshTopic(cluster: KafkaCluster, name: string): Promise<string> {
  await cluster.createTopic(name, { partitions: 1, replicationFactor: 1 })
  return name
}

async function tidemarkRound({ tidemark, kafkajs }: Library, cluster: KafkaCluster, round: number): Promise<Measured> {
  const topic = tidemark.defineTopic({ name: await freshTopic(cluster, `ours-${round}`), value: tidemark.bytes() })
  const driver = kafkajs.kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const messaging = tidemark.createMessaging({ driver, profile: 'transactional', durability: 'off', logger: 'silent' })
  const one = () => messaging.transaction(`ours-${round}`, (transaction) => transaction.send(topic, value))
  try {
    for (let count = 0; count < 200; count += 1) await one()
    return await measureLatency('tidemark', transactions, 1, one)
  } finally {
    await messaging.close()
  }
}

async function kafkajsRound(cluster: KafkaCluster, round: number): Promise<Measured> {
  const topic = await freshTopic(cluster, `kafkajs-${round}`)
  const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, transactionalId: `kafkajs-${round}` })
  await producer.connect()
  const one = async () => {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ value }] })
    await transaction.commit()
  }
  try {
    for (let count = 0; count < 3; count += 1) await one()
    // It rests for some hundred milliseconds where another transaction ends.
    return await measureLatency('kafkajs', transactions / 50, 1, one)
  } finally {
    await producer.disconnect()
  }
}

/** The JVM as it is by default: this run is the yardstick. */
async function javaRound(cluster: KafkaCluster, round: number): Promise<Measured> {
  const topic = await freshTopic(cluster, `java-${round}`)
  const properties = [`bootstrap.servers=${cluster.internalBrokers.join(',')}`, `transactional.id=java-${round}`]
  const args = ['transactions', ...properties, topic, String(transactions)]
  const output = await java(await withKafkaTool(cluster.installation), 'KafkaTool', args, { jvmFlags: ['-Xmx512m'] })
  const [seconds = 0, p50Ms = 0, p99Ms = 0] = output.trim().split('\t').slice(1).map(Number)
  return { name: 'Java', perSecond: transactions / seconds, seconds, count: transactions, ...elsewhere, p50Ms, p99Ms }
}
