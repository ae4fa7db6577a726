import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { bytes, defineTopic } from 'tidemark'
import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { sourceLibrary, type Library } from './library.js'
import { elsewhere, keepInFlight, measure, measureLatency, type Measured } from './measure.js'
import { installedCodecs } from './codecs.js'
import { openConfluent, type ConfluentPeer } from './confluent.js'
import { producerPerformance } from '../test/support/java-performance.js'
import { openTidemark } from './open-tidemark.js'
import { partitions, singles, tidemarkProduces, value } from './produce-measures.js'
import { printRatios, printTable } from './table.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

/** Sends on a real one-node Kafka, acks=all and idempotent, every client in every round, in turn. */
export async function runProduce(): Promise<void> {
  const library = await sourceLibrary()
  const cluster = await startCluster({ nodes: 1 })
  const confluent = await openConfluent(cluster.brokers)
  const results: Measured[] = []
  try {
    for (let round = 1; round <= rounds; round += 1) {
      process.stderr.write(`produce: round ${round} of ${rounds}\n`)
      results.push(...(await tidemarkProduces(library, cluster.brokers)))
      results.push(...(await kafkajsRound(cluster)))
      if (confluent !== null) results.push(...(await confluentRound(cluster, confluent)))
      results.push(await javaRound(cluster))
    }
    printTable(
      `produce: Kafka ${cluster.version}, 1 node, ${partitions} partitions, ${value.length}-byte values, acks=all, idempotent`,
      results,
    )
    printRatios(results, [
      { ours: 'tidemark singles, 4096 in flight', theirs: 'kafkajs singles, 4096 in flight', atLeast: 60 },
      { ours: 'tidemark singles, 1024 in flight', theirs: 'kafkajs sendBatch of 1000', atLeast: 2 },
      { ours: 'tidemark singles, 4096 in flight', theirs: 'kafkajs sendBatch of 1000', atLeast: 2 },
      { ours: 'tidemark singles, 4096 in flight', theirs: 'confluent singles, 4096 in flight', atLeast: 2.5 },
      { ours: 'tidemark singles, 4096 in flight', theirs: 'Java ProducerPerformance', atLeast: 0.7 },
      { ours: 'tidemark sendMany of 1000, 8 in flight', theirs: 'tidemark singles, 4096 in flight', atLeast: 1 },
      { ours: 'tidemark awaited one by one', theirs: 'kafkajs awaited one by one', atLeast: 1 },
    ])
    await sweeps(library, cluster)
  } finally {
    await confluent?.close()
    await cluster.stop()
  }
}

let topics = 0
async function freshTopic(cluster: KafkaCluster): Promise<string> {
  const name = `bench-produce-${(topics += 1)}`
  await cluster.createTopic(name, { partitions, replicationFactor: 1 })
  return name
}

async function kafkajsRound(cluster: KafkaCluster): Promise<readonly Measured[]> {
  const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  const topic = await freshTopic(cluster)
  const messages = Array.from({ length: 1_000 }, () => ({ value }))
  await producer.connect()
  try {
    await producer.send({ topic, messages })
    return [
      await measureLatency('kafkajs awaited one by one', 2_000, 1, () =>
        producer.send({ topic, messages: [{ value }] }),
      ),
      await measure('kafkajs singles, 4096 in flight', () =>
        keepInFlight(16_000, 4_096, () => producer.send({ topic, messages: [{ value }] })),
      ),
      await measure('kafkajs sendBatch of 1000', async () => {
        for (let sent = 0; sent < singles; sent += 1_000)
          await producer.sendBatch({ topicMessages: [{ topic, messages }] })
        return singles
      }),
    ]
  } finally {
    await producer.disconnect()
  }
}

async function confluentRound(cluster: KafkaCluster, peer: ConfluentPeer): Promise<readonly Measured[]> {
  const topic = await freshTopic(cluster)
  return [
    await measure('confluent singles, 4096 in flight', () =>
      keepInFlight(100_000, 4_096, () => peer.send(topic, value)),
    ),
  ]
}

async function javaRound(cluster: KafkaCluster): Promise<Measured> {
  const topic = await freshTopic(cluster)
  const { recordsPerSecond, seconds } = await producerPerformance(cluster, {
    topic,
    records: 1_000_000,
    recordBytes: value.length,
    properties: { acks: 'all', 'enable.idempotence': 'true', 'linger.ms': '1' },
  })
  return { name: 'Java ProducerPerformance', perSecond: recordsPerSecond, seconds, count: 1_000_000, ...elsewhere }
}

/** What compression and batch size do to the rate; values here are text that compresses about as JSON does. */
async function sweeps(library: Library, cluster: KafkaCluster): Promise<void> {
  const results: Measured[] = []
  const text = Buffer.from(
    JSON.stringify({ bk_biz_id: 2, event_type: 'metric', raw_data: { load: 1.38, host: '10.0.0.1' } }).padEnd(
      200,
      ' #',
    ),
  )
  const variants = [
    ...[...new Set(['none', 'gzip', 'snappy', 'lz4', ...installedCodecs()] as const)].map((compression) => ({
      name: `compression ${compression}`,
      producer: { compression },
    })),
    ...[16, 64, 256, 1_000].map((kib) => ({ name: `batchBytes ${kib} KiB`, producer: { batchBytes: kib * 1_024 } })),
    ...[0, 1, 5].map((lingerMs) => ({ name: `linger ${lingerMs} ms`, producer: { lingerMs } })),
  ]
  for (const variant of variants) {
    const messaging = openTidemark(library, cluster.brokers)
    const topic = defineTopic({ name: await freshTopic(cluster), value: bytes() })
    const producer = messaging.producer(variant.producer)
    await keepInFlight(10_000, 1_024, () => producer.send(topic, text))
    results.push(await measureLatency(variant.name, 150_000, 4_096, () => producer.send(topic, text)))
    await messaging.close()
  }
  printTable('sweeps: tidemark singles, 4096 in flight, 200-byte JSON text', results)
}
