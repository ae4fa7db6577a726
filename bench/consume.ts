import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { consumerPerformance } from '../test/support/java-performance.js'
import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { freshGroup, tidemarkConsumes, tidemarkReads } from './consume-measures.js'
import { sourceLibrary, type Library } from './library.js'
import { countTo, elsewhere, measure, type Measured } from './measure.js'
import { openTidemark } from './open-tidemark.js'
import { partitions } from './produce-measures.js'
import { fillKafka, recordsToConsume } from './suites.js'
import { printRatios, printTable } from './table.js'

const records = recordsToConsume
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

/** Reads on a real one-node Kafka with manual commit and CRC checked, every client in every round, in turn. */
export async function runConsume(): Promise<void> {
  const library = await sourceLibrary()
  const cluster = await startCluster({ nodes: 1 })
  const results: Measured[] = []
  try {
    const filled = await fillKafka(cluster)
    for (let round = 1; round <= rounds; round += 1) {
      process.stderr.write(`consume: round ${round} of ${rounds}\n`)
      results.push(...(await tidemarkConsumes(library, filled)))
      results.push(await kafkajsReads(cluster, 'eachBatch'))
      results.push(await kafkajsReads(cluster, 'eachMessage'))
      const java = await consumerPerformance(cluster, { topic: 'bench-consume', records })
      results.push({
        name: 'Java ConsumerPerformance',
        perSecond: java.recordsPerSecond,
        seconds: java.seconds,
        count: records,
        ...elsewhere,
      })
    }
    results.push(...(await slowHandlers(library, cluster)))
    printTable(
      `consume: Kafka ${cluster.version}, 1 node, ${partitions} partitions, 200-byte values, ${records.toLocaleString('en-US')} records`,
      results,
    )
    printRatios(results, [
      { ours: 'tidemark handleBatch', theirs: 'kafkajs eachBatch', atLeast: 2.5 },
      { ours: 'tidemark handleBatch', theirs: 'Java ConsumerPerformance', atLeast: 1 },
      { ours: 'tidemark by message, order by partition', theirs: 'kafkajs eachMessage', atLeast: 2 },
      { ours: 'tidemark by message, by key, 64 lanes', theirs: 'kafkajs eachMessage', atLeast: 1 },
      { ours: 'tidemark 5 ms handlers, by key, 256 lanes', theirs: 'kafkajs eachMessage, 5 ms handlers', atLeast: 50 },
    ])
  } finally {
    await cluster.stop()
  }
}

async function kafkajsReads(
  cluster: KafkaCluster,
  way: 'eachBatch' | 'eachMessage',
  name = `kafkajs ${way}`,
  topic = 'bench-consume',
  total = records,
  work?: () => Promise<unknown>,
  atOnce = partitions,
): Promise<Measured> {
  const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: freshGroup(), maxWaitTimeInMs: 250 })
  const handled = countTo(total)
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  try {
    return await measure(name, async () => {
      await consumer.run(
        way === 'eachBatch'
          ? { autoCommit: false, eachBatch: async ({ batch }) => handled.add(batch.messages.length) }
          : {
              autoCommit: false,
              partitionsConsumedConcurrently: atOnce,
              eachMessage: async () => {
                if (work !== undefined) await work()
                handled.add(1)
              },
            },
      )
      await handled.reached
      return total
    })
  } finally {
    await consumer.disconnect()
  }
}

/** Handlers that wait 5 ms: what concurrency by key is for. kafkajs gets fewer records, or it would take minutes. */
async function slowHandlers(library: Library, cluster: KafkaCluster): Promise<readonly Measured[]> {
  const messaging = openTidemark(library, cluster.brokers)
  const { bytes, defineTopic } = library.tidemark
  const fill = async (name: string, count: number) => {
    await cluster.createTopic(name, { partitions, replicationFactor: 1 })
    const topic = defineTopic({ name, value: bytes() })
    const producer = messaging.producer()
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        producer.send(topic, Buffer.alloc(200), { key: `key-${index % 2_048}` }),
      ),
    )
  }
  await fill('bench-slow', 60_000)
  await fill('bench-slow-kafkajs', 4_000)
  await messaging.close()
  const work = () => sleep(5)
  return [
    await tidemarkReads(
      library,
      { brokers: cluster.brokers, topic: 'bench-slow', records: 60_000 },
      'tidemark 5 ms handlers, by key, 256 lanes',
      { order: 'key', concurrency: 256, handle: work },
    ),
    await kafkajsReads(
      cluster,
      'eachMessage',
      'kafkajs eachMessage, 5 ms handlers',
      'bench-slow-kafkajs',
      1_000,
      work,
      1,
    ),
    await kafkajsReads(cluster, 'eachMessage', 'the same, all 8 partitions at once', 'bench-slow-kafkajs', 4_000, work),
  ]
}
