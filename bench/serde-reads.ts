import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Kafka, logLevel } from 'kafkajs'
import { startCluster } from '../test/support/kafka-cluster.js'
import { avro } from '../src/avro.js'
import { createMessaging, defineTopic, type Messaging } from '../src/index.js'
import { kafkajs } from '../src/kafkajs.js'
import { schemaRegistry } from '../src/registry.js'
import { memoryRegistry } from '../src/testing.js'
import { orderAt, orderSchema, type Order } from './avro-orders.js'
import { freshGroup } from './consume-measures.js'
import { countTo, measure, type Measured } from './measure.js'
import { partitions } from './produce-measures.js'
import { printRatios, printTable } from './table.js'

const records = Number(process.env['BENCH_RECORDS'] ?? 500_000)
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const name = 'bench-avro'

/** The slice of @kafkajs/confluent-schema-registry that is used here; it is measured when it is installed. */
interface RegistryModule {
  readonly SchemaRegistry: new (config: { readonly host: string }) => { decode(bytes: Buffer): Promise<unknown> }
}

/** One topic of Avro, read by both. */
export async function runAvroReads(): Promise<void> {
  const server = await serveRegistry()
  const cluster = await startCluster({ nodes: 1 })
  const brokers = [...cluster.brokers]
  const messaging = createMessaging({
    driver: kafkajs({ brokers, logLevel: logLevel.NOTHING }),
    profile: 'cp',
    logger: 'silent',
  })
  const results: Measured[] = []
  try {
    await cluster.createTopic(name, { partitions, replicationFactor: 1 })
    await fill(messaging, server.url)
    const module = '@kafkajs/confluent-schema-registry'
    const peer = (await import(module).catch(() => null)) as RegistryModule | null
    if (peer === null) process.stderr.write(`${module} is not installed: left out\n`)
    for (let round = 1; round <= rounds; round += 1) {
      process.stderr.write(`serde: round ${round} of ${rounds}\n`)
      results.push(await tidemarkReads(messaging, server.url))
      if (peer !== null) results.push(await kafkajsReads(brokers, new peer.SchemaRegistry({ host: server.url })))
    }
    printTable(
      `Avro: Kafka ${cluster.version}, 1 node, ${partitions} partitions, ${records.toLocaleString('en-US')} records`,
      results,
    )
    printRatios(results, [{ ours, theirs, atLeast: 2 }])
  } finally {
    await messaging.close()
    await cluster.stop()
    await server.close()
  }
}

const ours = 'tidemark handleBatch, Avro'
const theirs = 'kafkajs eachBatch, confluent-schema-registry'

const ordersOf = (url: string) =>
  defineTopic({
    name,
    key: 'id',
    value: avro<Order>({ registry: schemaRegistry({ urls: url }), schema: JSON.stringify(orderSchema) }),
  })

async function fill(messaging: Messaging, url: string): Promise<void> {
  const producer = messaging.producer()
  const orders = ordersOf(url)
  for (let at = 0; at < records; at += 5_000) {
    await producer.sendMany(
      orders,
      Array.from({ length: Math.min(5_000, records - at) }, (_, index) => orderAt(at + index)),
    )
  }
}

async function tidemarkReads(messaging: Messaging, url: string): Promise<Measured> {
  const handled = countTo(records)
  const consumer = messaging.consumer({
    group: freshGroup(),
    topics: [ordersOf(url)],
    from: 'earliest',
    handleBatch: (messages) => handled.add(messages.length),
  })
  try {
    return await measure(ours, async () => {
      await consumer.start()
      await handled.reached
      return records
    })
  } finally {
    await consumer.stop()
  }
}

/** The order within a batch is kept, as one would write it by hand. */
async function kafkajsReads(
  brokers: string[],
  registry: InstanceType<RegistryModule['SchemaRegistry']>,
): Promise<Measured> {
  const consumer = new Kafka({ brokers, logLevel: logLevel.NOTHING }).consumer({
    groupId: freshGroup(),
    maxWaitTimeInMs: 250,
  })
  const handled = countTo(records)
  await consumer.connect()
  await consumer.subscribe({ topics: [name], fromBeginning: true })
  try {
    return await measure(theirs, async () => {
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          const values = await Promise.all(batch.messages.map(({ value }) => registry.decode(value as Buffer)))
          handled.add(values.length)
        },
      })
      await handled.reached
      return records
    })
  } finally {
    await consumer.disconnect()
  }
}

/** The registry of tests behind HTTP. */
async function serveRegistry(): Promise<{ readonly url: string; close(): Promise<unknown> }> {
  const registry = memoryRegistry()
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const { method = 'GET', url: path = '/' } = request
      const body = parts.length === 0 ? null : Buffer.concat(parts).toString()
      void registry
        .send({ method: method as 'GET', path, body }, new AbortController().signal)
        .then(({ status, body: text }) => {
          response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(text)
        })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}
