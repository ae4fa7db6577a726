import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { bytes, defineTopic, type ConsumerOptions } from 'tidemark'
import { consumerPerformance, producerPerformance } from '../test/support/java-performance.js'
import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { countTo, measure, type Measured } from './measure.js'
import { openTidemark } from './open-tidemark.js'
import { printRatios, printTable } from './table.js'

const partitions = 8
const records = Number(process.env['BENCH_RECORDS'] ?? 1_000_000)
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

/** Reads on a real one-node Kafka with manual commit and CRC checked, every client in every round, in turn. */
export async function runConsume(): Promise<void> {
  const cluster = await startCluster({ nodes: 1 })
  const results: Measured[] = []
  try {
    await cluster.createTopic('bench-consume', { partitions, replicationFactor: 1 })
    await producerPerformance(cluster, {
      topic: 'bench-consume',
      records,
      recordBytes: 200,
      properties: { acks: 'all' },
    })
    for (let round = 1; round <= rounds; round += 1) {
      process.stderr.write(`consume: round ${round} of ${rounds}\n`)
      results.push(await tidemarkReads(cluster, 'tidemark handleBatch', { handleBatch: () => undefined }))
      results.push(await tidemarkReads(cluster, 'tidemark by message, order by partition', { handle: () => undefined }))
      results.push(
        await tidemarkReads(cluster, 'tidemark by message, by key, 64 lanes', {
          order: 'key',
          concurrency: 64,
          handle: () => undefined,
        }),
      )
      results.push(await kafkajsReads(cluster, 'eachBatch'))
      results.push(await kafkajsReads(cluster, 'eachMessage'))
      const java = await consumerPerformance(cluster, { topic: 'bench-consume', records })
      results.push({
        name: 'Java ConsumerPerformance',
        perSecond: java.recordsPerSecond,
        seconds: java.seconds,
        count: records,
        cores: Number.NaN,
      })
    }
    results.push(...(await slowHandlers(cluster)))
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

let groups = 0
const freshGroup = () => `bench-${process.pid}-${(groups += 1)}`

type Way = Pick<ConsumerOptions, 'order' | 'concurrency'> & { handle?: () => unknown; handleBatch?: () => unknown }

async function tidemarkReads(
  cluster: KafkaCluster,
  name: string,
  way: Way,
  topicName = 'bench-consume',
  total = records,
): Promise<Measured> {
  const messaging = openTidemark(cluster)
  const topic = defineTopic({ name: topicName, value: bytes() })
  const handled = countTo(total)
  const shared = {
    group: freshGroup(),
    topics: [topic],
    from: 'earliest' as const,
    ...(way.order && { order: way.order }),
    ...(way.concurrency && { concurrency: way.concurrency }),
  }
  const consumer =
    way.handleBatch === undefined
      ? messaging.consumer({
          ...shared,
          handle: () => {
            const work = way.handle?.()
            if (work instanceof Promise) return work.then(() => handled.add(1))
            handled.add(1)
            return undefined
          },
        })
      : messaging.consumer({ ...shared, handleBatch: (messages) => handled.add(messages.length) })
  try {
    return await measure(name, async () => {
      await consumer.start()
      await handled.reached
      return total
    })
  } finally {
    await messaging.close()
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
async function slowHandlers(cluster: KafkaCluster): Promise<readonly Measured[]> {
  const messaging = openTidemark(cluster)
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
      cluster,
      'tidemark 5 ms handlers, by key, 256 lanes',
      { order: 'key', concurrency: 256, handle: work },
      'bench-slow',
      60_000,
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
