import { sql } from 'kysely'
import { createMessaging, defineTopic, string } from '../../../src/index.js'
import { memory } from '../../../src/memory.js'
import { sqlPositions } from '../../../src/sql.js'
import { openDatabase, type DatabasePlace } from './open-database.js'

/** Where a life ends by its own hand. `committing`: the commit is on its way. */
export type PositionsCrash = 'taken' | 'effect' | 'committing' | 'committed'

export interface PositionsLife {
  readonly place: DatabasePlace
  readonly records: number
  /** In which transaction of this life. */
  readonly crash: { readonly point: PositionsCrash; readonly transaction: number } | null
}

/**
 * A consumer to which Kafka says in every life that nothing was ever committed, over the same records in the same places. Its
 * handler writes one row for each record, which no key tells from another.
 */
const { place, records, crash } = JSON.parse(process.argv[2] ?? '') as PositionsLife
const db = openDatabase(place)
const positions = sqlPositions(db, { group: 'g' })
const topic = defineTopic({ name: 'r', value: string(), partitions: 3 })
const messaging = createMessaging({ driver: memory(), durability: 'off', logger: 'silent' })
await messaging.ensureTopics([topic])
const producer = messaging.producer()
for (let at = 0; at < records; at += 1) await producer.send(topic, `${at}`, { partition: at % 3 })

let transactions = 0
const die = () => process.kill(process.pid, 'SIGKILL')

const consumer = messaging.consumer({
  group: 'g',
  topics: [topic],
  order: 'partition',
  batchMessages: 7,
  onAssigned: positions.onAssigned,
  handleBatch: async (batch, context) => {
    const last = batch.at(-1)
    if (!last) return
    transactions += 1
    const isLast = transactions === crash?.transaction
    const dieAt = (point: PositionsCrash) => {
      if (isLast && crash?.point === point) die()
    }
    await positions.transaction(context, last, last.offset + 1, async (trx) => {
      dieAt('taken')
      for (const { value } of batch) await sql`insert into effects (record) values (${value})`.execute(trx)
      dieAt('effect')
      if (isLast && crash?.point === 'committing') setTimeout(die, transactions % 3)
    })
    dieAt('committed')
  },
})
await consumer.start()
await consumer.caughtUp({ timeoutMs: 60_000 })
await messaging.close()
await db.destroy()
