import { sql } from 'kysely'
import { createMessaging, defineTopic, string, type HandlerContext } from '../../../src/index.js'
import { memory } from '../../../src/memory.js'
import { sqlDedupe } from '../../../src/sql.js'
import { openDatabase, type DatabasePlace } from './open-database.js'

/** Where a life ends by its own hand. `committing`: the commit is on its way. */
export type CrashPoint = 'marked' | 'effect' | 'committing' | 'committed'

export interface InboxLife {
  readonly place: DatabasePlace
  readonly records: number
  readonly form: 'each' | 'batch'
  /** In which transaction that is not of a record had before. */
  readonly crash: { readonly point: CrashPoint; readonly transaction: number } | null
}

/**
 * A consumer that reads the same records from their beginning in every life, as if nothing had ever been committed to Kafka,
 * each of them twice. Its handler writes one row for each record, in the transaction of the inbox.
 */
const { place, records, form, crash } = JSON.parse(process.argv[2] ?? '') as InboxLife
const db = openDatabase(place)
const inbox = sqlDedupe(db)
const topic = defineTopic({ name: 'r', value: string(), partitions: 3 })
const messaging = createMessaging({ driver: memory(), durability: 'off', logger: 'silent' })
await messaging.ensureTopics([topic])
const producer = messaging.producer()
// Every second one has no id: its place says what it is, so all of them are in the same places in every life.
for (let at = 0; at < records; at += 1) {
  const options = { partition: at % 3, timestamp: 1_000 + at, id: at % 2 === 0 ? `id-${at}` : undefined }
  await producer.send(topic, `${at}`, options)
  if (at % 2 === 0) await producer.send(topic, `${at}`, { ...options, partition: (at + 1) % 3 })
}

let transactions = 0
const die = () => process.kill(process.pid, 'SIGKILL')

async function work(values: readonly string[], context: HandlerContext): Promise<void> {
  let isLast = false
  const dieAt = (point: CrashPoint) => {
    if (isLast && crash?.point === point) die()
  }
  await inbox.transaction(context, async (trx) => {
    transactions += 1
    isLast = transactions === crash?.transaction
    dieAt('marked')
    for (const value of values) await sql`insert into effects (record) values (${value})`.execute(trx)
    dieAt('effect')
    if (isLast && crash?.point === 'committing') setTimeout(die, transactions % 3)
  })
  dieAt('committed')
}

const settings = { group: 'g', topics: [topic], dedupe: inbox, order: 'partition' } as const
const consumer =
  form === 'each'
    ? messaging.consumer({ ...settings, handle: ({ value }, context) => work([value], context) })
    : messaging.consumer({
        ...settings,
        batchMessages: 7,
        handleBatch: (batch, context) =>
          work(
            batch.map(({ value }) => value),
            context,
          ),
      })
await consumer.start()
// A database may be away for a minute.
await consumer.caughtUp({ timeoutMs: 240_000 })
await messaging.close()
await db.destroy()
process.stdout.write('ended\n')
