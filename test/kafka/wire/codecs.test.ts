/** Whoever wrote a record, with whichever codec, everybody reads the same. */
import kafkajsPackage from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytes, createMessaging, defineTopic, nullable, type Messaging } from '../../../src/index.js'
import { kafkajs } from '../../../src/kafkajs.js'
import { startCluster, type KafkaCluster } from '../../support/kafka-cluster.js'
import { scanTopic, writeRecords } from '../../support/java-client.js'
import { otherLz4, otherSnappy, otherZstd, type OtherCodec } from '../../support/other-codecs.js'
import { seededRandom } from '../../support/seeded-random.js'
import { until } from '../../support/waiting.js'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajsPackage
const registry = CompressionCodecs as unknown as Record<number, () => unknown>

const codecs = ['gzip', 'snappy', 'lz4', 'zstd'] as const
type Codec = (typeof codecs)[number]
const types: Readonly<Record<Codec, number>> = {
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}

const count = process.env['TIDEMARK_FULL'] === '1' ? 100_000 : 5_000
/** One of them writes to each partition. */
const writers = { tidemark: 0, java: 1, kafkajs: 2 } as const

interface Sample {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
}

/** What packs well, what does not, and nothing, so that batches hold literals and matches of all lengths. */
function samples(seed: number): Sample[] {
  const random = seededRandom(seed)
  const noise = (length: number) => Buffer.from(Uint8Array.from({ length }, () => Math.floor(random() * 256)))
  return Array.from({ length: count }, (_, at) => {
    const values = [
      () => Buffer.from(JSON.stringify({ id: at, sensor: `cpu-${at % 17}`, load: at / 7, note: 'ok'.repeat(at % 50) })),
      () => noise(Math.floor(random() * 200)),
      () => Buffer.alloc(at % 700, 'tide'),
      () => null,
    ]
    return {
      key: at % 5 === 0 ? null : Buffer.from(`key-${at % 100}`),
      value: at % 97 === 0 ? null : values[at % 3]!(),
      headers: at % 3 === 0 ? { trace: `t-${at}` } : {},
    }
  })
}

const written = Object.fromEntries(
  Object.entries(writers).map(([writer, partition]) => [writer, samples(partition + 1)]),
)
const textOf = ({ key, value, headers }: Sample) =>
  `${key?.toString('latin1') ?? '-'} ${value?.toString('base64') ?? '-'} ${Object.entries(headers).join()}`
const expected = Object.values(written).map((list) => list.map(textOf))

let cluster: KafkaCluster
beforeAll(async () => {
  cluster = await startCluster()
  for (const codec of codecs) await cluster.createTopic(codec, { partitions: expected.length })
  await Promise.all([writeByTidemark(), writeByJava()])
  await withKafkajsCodecs(writeByKafkajs)
}, 600_000)
afterAll(() => cluster?.stop())

function open(): Messaging {
  const driver = kafkajs({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
  return createMessaging({ driver, durability: 'off', logger: 'silent' })
}

async function writeByTidemark(): Promise<void> {
  const messaging = open()
  await Promise.all(
    codecs.map(async (codec) => {
      const topic = defineTopic({ name: codec, value: nullable(bytes()) })
      const producer = messaging.producer({ compression: codec })
      const partition = writers.tidemark
      // A buffer holds 32 MiB.
      for (let from = 0; from < count; from += 5_000) {
        const sent = written['tidemark']!.slice(from, from + 5_000)
        await Promise.all(sent.map(({ value, ...options }) => producer.send(topic, value, { ...options, partition })))
      }
    }),
  )
  await messaging.close()
}

async function writeByJava(): Promise<void> {
  for (const codec of codecs) {
    const steps = written['java']!.map(({ key, value, headers }) => ({
      topic: codec,
      partition: writers.java,
      key,
      value,
      headers: Object.entries(headers).map(([name, text]) => ({ name, value: text })),
    }))
    await writeRecords(cluster, steps, { 'compression.type': codec, 'linger.ms': 5 })
  }
}

function kafkajsClient(): kafkajsPackage.Kafka {
  return new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING })
}

async function writeByKafkajs(): Promise<void> {
  const producer = kafkajsClient().producer()
  await producer.connect()
  for (const codec of codecs) {
    for (let from = 0; from < count; from += 500) {
      const messages = written['kafkajs']!.slice(from, from + 500)
      const partition = writers.kafkajs
      await producer.send({
        topic: codec,
        compression: types[codec],
        messages: messages.map((sample) => ({ ...sample, partition })),
      })
    }
  }
  await producer.disconnect()
}

/** What is registered counts for tidemark too, so it is there only while tidemark is not at work. */
async function withKafkajsCodecs<Result>(work: () => Promise<Result>): Promise<Result> {
  const others: Readonly<Record<string, OtherCodec>> = { snappy: otherSnappy, lz4: otherLz4, zstd: await otherZstd() }
  const before = { ...registry }
  for (const [codec, { compress, decompress }] of Object.entries(others)) {
    const adapted = { compress: ({ buffer }: { buffer: Buffer }) => compress(buffer), decompress }
    registry[types[codec as Codec]] = () => adapted
  }
  try {
    return await work()
  } finally {
    Object.assign(registry, before)
  }
}

/** What was read of a topic, by partition. */
class Read {
  readonly partitions: string[][] = expected.map(() => [])

  add(partition: number, sample: Sample): void {
    this.partitions[partition]!.push(textOf(sample))
  }

  /** Together and not record by record, which would take as long as all the rest. */
  expectAll(): void {
    for (const [writer, partition] of Object.entries(writers)) {
      const [got, wanted] = [this.partitions[partition]!, expected[partition]!]
      expect(got, writer).toHaveLength(count)
      expect(
        got.findIndex((text, at) => text !== wanted[at]),
        `first wrong record of ${writer}`,
      ).toBe(-1)
    }
  }

  get isComplete(): boolean {
    return this.partitions.every(({ length }) => length >= count)
  }
}

describe.each(codecs)(`%s, ${count} records of each writer`, (codec) => {
  it('is read by tidemark, whoever wrote it', async () => {
    const read = new Read()
    const messaging = open()
    const topic = defineTopic({ name: codec as string, value: nullable(bytes()) })
    const consumer = messaging.consumer({
      group: null,
      topics: [topic],
      from: 'earliest',
      handleBatch: (messages) => {
        for (const { partition, key, value, headers } of messages) {
          read.add(partition, {
            key,
            value,
            headers: Object.fromEntries([...headers].map(([name, text]) => [name, String(text)])),
          })
        }
      },
    })
    await consumer.start()
    await until('all records', () => read.isComplete, { timeoutMs: 60_000 })
    await messaging.close()
    read.expectAll()
  })

  it('is read by Java, whoever wrote it', async () => {
    const read = new Read()
    await scanTopic(cluster, codec, ({ partition, key, value, headers }) =>
      read.add(partition, {
        key,
        value,
        headers: Object.fromEntries(headers.map((header) => [header.name, header.value?.toString() ?? ''])),
      }),
    )
    read.expectAll()
  })

  it('is read by kafkajs, whoever wrote it', async () => {
    const read = new Read()
    await withKafkajsCodecs(async () => {
      const consumer = kafkajsClient().consumer({ groupId: `kafkajs-${codec}`, maxWaitTimeInMs: 200 })
      await consumer.connect()
      await consumer.subscribe({ topic: codec, fromBeginning: true })
      await consumer.run({
        eachBatch: ({ batch }) => {
          for (const { key, value, headers } of batch.messages) {
            const texts = Object.entries(headers ?? {}).map(([name, header]) => [name, String(header)] as const)
            read.add(batch.partition, { key, value, headers: Object.fromEntries(texts) })
          }
          return Promise.resolve()
        },
      })
      await until('all records', () => read.isComplete, { timeoutMs: 60_000 })
      await consumer.disconnect()
    })
    read.expectAll()
  })
})
