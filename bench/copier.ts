import { logLevel } from 'kafkajs'
import type { MessagingConsumerOptions, Topic } from 'tidemark'
import { java, withKafkaTool } from '../test/support/java.js'
import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { presentLibrary } from './built.js'
import { freshGroup } from './consume-measures.js'
import type { Library } from './library.js'
import { countTo, elsewhere, measure, type Measured } from './measure.js'
import { printRatios, printTable } from './table.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const partitions = 3
const source = 'copied'

/** More than is copied, so that nobody waits for the last ones: a measure ends in the middle of a transaction, as it begins. */
const spare = 50_000

/** Copiers begin with some records that are not measured: the JVM compiles meanwhile, and so does Node. */
const sizes = [
  { size: 50, warm: 10_000, records: 20_000 },
  { size: 500, warm: 100_000, records: 100_000 },
  { size: 5_000, warm: 400_000, records: 400_000 },
] as const
type Size = (typeof sizes)[number]

/** One topic copied to another exactly once, by records of a transaction, on a real one-node Kafka, every copier in every round, in turn. */
export async function runCopiers(): Promise<void> {
  const library = await presentLibrary()
  const cluster = await startCluster({ version: '4.2.0', nodes: 1 })
  try {
    await fill(library, cluster, Math.max(...sizes.map(({ warm, records }) => warm + records)) + spare)
    for (const one of sizes) {
      const results: Measured[] = []
      for (let round = 1; round <= rounds; round += 1) {
        process.stderr.write(`copiers, ${one.size} in a transaction: round ${round} of ${rounds}\n`)
        results.push(await copies(library, cluster, one, 'tidemark'))
        results.push(await copies(library, cluster, one, 'tidemark, at least once'))
        results.push(await javaCopies(cluster, one))
      }
      printTable(
        `${one.size} records in a transaction: Kafka ${cluster.version}, 1 node, ${partitions} partitions`,
        results,
      )
      printRatios(results, [
        { ours: 'tidemark', theirs: 'Java', atLeast: 1 },
        { ours: 'tidemark', theirs: 'tidemark, at least once', atLeast: 0.5 },
      ])
    }
  } finally {
    await cluster.stop()
  }
}

async function fill({ tidemark, kafkajs }: Library, cluster: KafkaCluster, total: number): Promise<void> {
  await cluster.createTopic(source, { partitions, replicationFactor: 1 })
  const driver = kafkajs.kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const messaging = tidemark.createMessaging({ driver, profile: 'cp', durability: 'off' })
  const topic = tidemark.defineTopic({ name: source, value: tidemark.bytes() })
  const producer = messaging.producer()
  const values = Array.from({ length: 1_000 }, () => Buffer.alloc(200, 'x'))
  for (let sent = 0; sent < total; sent += values.length) {
    // All copiers meet every partition from its beginning on.
    await producer.sendMany(topic, values, { partition: (sent / values.length) % partitions })
  }
  await messaging.close()
}

let copyNumber = 0
async function freshCopy(cluster: KafkaCluster): Promise<string> {
  copyNumber += 1
  const name = `copy-${copyNumber}`
  await cluster.createTopic(name, { partitions, replicationFactor: 1 })
  return name
}

async function copies(
  { tidemark, kafkajs }: Library,
  cluster: KafkaCluster,
  { size, warm, records }: Size,
  name: 'tidemark' | 'tidemark, at least once',
): Promise<Measured> {
  const [from, to] = [source, await freshCopy(cluster)].map((topic) =>
    tidemark.defineTopic({ name: topic, value: tidemark.bytes() }),
  ) as [Topic<Buffer>, Topic<Buffer>]
  const driver = kafkajs.kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const own: Pick<MessagingConsumerOptions, 'transaction' | 'order' | 'concurrency'> =
    name === 'tidemark'
      ? { transaction: { everyMs: 2_000, everyMessages: size } }
      : { order: 'none', concurrency: 1_000 }
  const messaging = tidemark.createMessaging({
    ...{ driver, durability: 'off', logger: 'silent' },
    profile: name === 'tidemark' ? 'transactional' : 'cp',
  })
  const [warmed, all] = [countTo(warm), countTo(warm + records)]
  const consumer = messaging.consumer({
    group: freshGroup(),
    topics: [from],
    from: 'earliest',
    ...own,
    handle: async ({ value, partition }, context) => {
      await context.send(to, value, { partition })
      warmed.add(1)
      all.add(1)
    },
  })
  try {
    await consumer.start()
    await warmed.reached
    return await measure(name, async () => {
      await all.reached
      return records
    })
  } finally {
    await messaging.close({ force: true })
  }
}

/** The JVM as it is by default: this run is the yardstick. */
async function javaCopies(cluster: KafkaCluster, { size, warm, records }: Size): Promise<Measured> {
  const to = await freshCopy(cluster)
  const properties = [`bootstrap.servers=${cluster.internalBrokers.join(',')}`, `group.id=${freshGroup()}`]
  const args = ['copy', ...properties, `transactional.id=${to}`, source, to, ...[size, warm, records].map(String)]
  const output = await java(await withKafkaTool(cluster.installation), 'KafkaTool', args, {
    ...{ jvmFlags: ['-Xmx512m'], timeoutMs: 300_000 },
  })
  const seconds = Number(output.trim().split('\t')[1])
  return { name: 'Java', perSecond: records / seconds, seconds, count: records, ...elsewhere }
}
