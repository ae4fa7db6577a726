import { sql } from 'kysely'
import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, string, type HandlerContext, type Message } from '../src/index.js'
import { memoryDedupe } from '../src/dedupe.js'
import { kafkajs } from '../src/kafkajs.js'
import { redrive } from '../src/redrive.js'
import { createInboxTable, createOutboxTables, sqlDedupe, sqlOutbox } from '../src/sql.js'
import { startDatabase, type TestDatabase } from '../test/sql/support/databases.js'
import { startCluster, type KafkaCluster } from '../test/support/kafka-cluster.js'
import { until } from '../test/support/waiting.js'
import { measure, type Measured } from './measure.js'
import { printTable } from './table.js'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const value = 'x'.repeat(200)
const databases = ['sqlite', 'mariadb'] as const

type Text = ReturnType<typeof topicNamed>

/** What dropping repeats, an inbox, an outbox and a redrive cost and reach: on a real one-node Kafka, and real databases. */
export async function runOnce(): Promise<void> {
  const cluster = await startCluster({ nodes: 1 })
  try {
    await dedupes(cluster)
    for (const kind of databases) {
      const database = await startDatabase(kind)
      try {
        await inboxes(cluster, database)
        await relays(cluster, database)
      } finally {
        await database.stop()
      }
    }
    await redrives(cluster)
  } finally {
    await cluster.stop()
  }
}

const topicNamed = (name: string) => defineTopic({ name, value: string(), key: () => null, partitions: 3 })

function open({ brokers }: KafkaCluster) {
  const driver = kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  return createMessaging({ driver, durability: 'off', logger: 'silent' })
}

/** Of records without ids: where they are says what they are, as is usual. */
async function filled(cluster: KafkaCluster, name: string, records: number): Promise<Text> {
  const topic = topicNamed(name)
  const messaging = open(cluster)
  await messaging.ensureTopics([{ ...topic, replicationFactor: 1 }])
  const producer = messaging.producer({ lingerMs: 5 })
  for (let sent = 0; sent < records; sent += 10_000) {
    await producer.sendMany(
      topic,
      Array.from({ length: Math.min(10_000, records - sent) }, () => value),
    )
  }
  await messaging.close()
  return topic
}

interface Reading {
  readonly dedupe?: ReturnType<typeof memoryDedupe> | ReturnType<typeof sqlDedupe>
  readonly handleBatch: (messages: readonly Message<string>[], context: HandlerContext) => Promise<void> | void
}

let groups = 0

async function read(
  cluster: KafkaCluster,
  title: string,
  topic: Text,
  records: number,
  way: Reading,
): Promise<Measured> {
  const messaging = open(cluster)
  let left = records
  const consumer = messaging.consumer({
    group: `once-${(groups += 1)}`,
    topics: [topic],
    from: 'earliest',
    dedupe: way.dedupe,
    handleBatch: async (messages, context) => {
      await way.handleBatch(messages, context)
      left -= messages.length
    },
  })
  const measured = await measure(title, async () => {
    await consumer.start()
    await until('all are read', () => left <= 0, { timeoutMs: 300_000 })
    return records
  })
  await messaging.close()
  return measured
}

async function dedupes(cluster: KafkaCluster): Promise<void> {
  const records = 300_000
  const topic = await filled(cluster, 'once-dedupe', records)
  const results: Measured[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const nothing = () => undefined
    const without = await read(cluster, 'handleBatch', topic, records, { handleBatch: nothing })
    const dedupe = memoryDedupe()
    const within = await read(cluster, 'handleBatch, dedupe: memoryDedupe()', topic, records, {
      dedupe,
      handleBatch: nothing,
    })
    // The first one warms up.
    if (round > 0) results.push(without, within)
  }
  printTable(`once: ${records.toLocaleString('en-US')} records of 200 bytes, none of them a repeat`, results)
}

async function inboxes(cluster: KafkaCluster, database: TestDatabase): Promise<void> {
  const { kind } = database.place
  const records = 20_000
  const topic = await filled(cluster, `once-inbox-${kind}`, records)
  const db = database.open()
  await createInboxTable(db)
  await sql.raw('create table effects (what varchar(220) not null)').execute(db)
  const results: Measured[] = []
  for (let round = 0; round < rounds; round += 1) {
    const insert = (messages: readonly Message<string>[]) =>
      sql`insert into effects (what) values ${sql.join(messages.map((message) => sql`(${message.value})`))}`
    const inbox = sqlDedupe(db)
    const without = {
      handleBatch: (messages: readonly Message<string>[]) =>
        insert(messages)
          .execute(db)
          .then(() => undefined),
    }
    const within: Reading = {
      dedupe: inbox,
      handleBatch: (messages, context) =>
        inbox.transaction(context, async (trx) => {
          await insert(messages).execute(trx)
        }),
    }
    results.push(await read(cluster, 'one insert for a batch', topic, records, without))
    results.push(await read(cluster, 'the same in an inbox', topic, records, within))
  }
  printTable(`once: an inbox on ${kind}, ${records.toLocaleString('en-US')} records in batches`, results)
  await db.destroy()
}

async function relays(cluster: KafkaCluster, database: TestDatabase): Promise<void> {
  const { kind } = database.place
  const rows = 10_000
  const topic = defineTopic({ name: `once-relay-${kind}`, value: string(), partitions: 3, replicationFactor: 1 })
  const messaging = open(cluster)
  await messaging.ensureTopics([topic])
  const db = database.open()
  await createOutboxTables(db)
  const outbox = sqlOutbox(db)
  const results: Measured[] = []
  for (let round = 0; round < rounds; round += 1) {
    results.push(
      await measure('add, 100 to a transaction', async () => {
        for (let added = 0; added < rows; added += 100) {
          await db.transaction().execute(async (trx) => {
            for (let at = 0; at < 100; at += 1) await outbox.add(trx, topic, value, { key: `k${(added + at) % 1_000}` })
          })
        }
        return rows
      }),
    )
    const relay = messaging.relay(outbox)
    results.push(
      await measure('relay, of 1,000 keys', async () => {
        await relay.start()
        await until('all are sent', () => relay.facts().sent === rows && relay.facts().inHand === 0, {
          timeoutMs: 300_000,
        })
        return rows
      }),
    )
    await relay.stop()
  }
  printTable(`once: an outbox on ${kind}, ${rows.toLocaleString('en-US')} rows of 200 bytes`, results)
  await messaging.close()
  await db.destroy()
}

async function redrives(cluster: KafkaCluster): Promise<void> {
  const letters = 20_000
  const target = topicNamed('once-redriven')
  const from = topicNamed('once-letters')
  const messaging = open(cluster)
  await messaging.ensureTopics([target, from].map((topic) => ({ ...topic, replicationFactor: 1 })))
  const producer = messaging.producer({ lingerMs: 5 })
  await Promise.all(
    Array.from({ length: letters }, (_, at) => {
      const headers = {
        'td-origin-topic': target.name,
        'td-origin-partition': String(at % 3),
        'td-origin-offset': String(at),
        'td-reason': 'exhausted',
      }
      return producer.send(from, value, { key: `k${at % 1_000}`, headers })
    }),
  )
  const results: Measured[] = []
  for (let round = 0; round < rounds; round += 1) {
    const options = { from, allow: [target], group: `once-redrive-${round}` }
    results.push(await measure('redrive, of 1,000 keys', async () => (await redrive(messaging, options)).redriven))
  }
  printTable(`once: a redrive of ${letters.toLocaleString('en-US')} letters of 200 bytes`, results)
  await messaging.close()
}
