/** Each effect once: an inbox and an outbox in the database that has the effects. Every order comes twice here. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely } from 'kysely'
import { createMessaging, defineTopic, json } from 'tidemark'
import { createInboxTable, createOutboxTables, sqlDedupe, sqlOutbox } from 'tidemark/sql'
import { z } from 'zod'
import { wasmSqliteDialect } from '../alarm/store/wasm-sqlite-dialect.js'
import { driver } from './driver.js'
import { until } from './until.js'

const Order = z.object({ id: z.string(), customer: z.string(), cents: z.number() })
const Invoice = z.object({ order: z.string(), cents: z.number() })
const orders = defineTopic({ name: 'basics.billed-orders', key: 'customer', value: json(Order), partitions: 2 })
const invoices = defineTopic({ name: 'basics.invoices', key: 'order', value: json(Invoice), partitions: 2 })

interface Tables {
  billed: { customer: string; cents: number }
}

const folder = mkdtempSync(join(tmpdir(), 'once-only-'))
const db = new Kysely<Tables>({ dialect: wasmSqliteDialect(join(folder, 'billing.db')) })
await db.schema.createTable('billed').addColumn('customer', 'text').addColumn('cents', 'integer').execute()
await createInboxTable(db)
await createOutboxTables(db)
const inbox = sqlDedupe(db)
const outbox = sqlOutbox(db)

const messaging = createMessaging({ driver })
await messaging.ensureTopics([orders, invoices])
const relay = messaging.relay(outbox, { pollMs: 50 })
await relay.start()

const billing = messaging.consumer({
  group: 'basics.billed-orders',
  topics: [orders],
  dedupe: inbox,
  // The row, the invoice to be sent and the mark of the order are there together, or none of them is.
  handle: ({ value: { id, customer, cents } }, context) =>
    inbox.transaction(context, async (trx) => {
      await trx.insertInto('billed').values({ customer, cents }).execute()
      await outbox.add(trx, invoices, { order: id, cents })
    }),
})
await billing.start()

const sent: string[] = []
const mailing = messaging.consumer({
  group: 'basics.mailing',
  topics: [invoices],
  handle: ({ value }) => void sent.push(value.order),
})
await mailing.start()

const producer = messaging.producer()
for (const id of ['o-1', 'o-2', 'o-3']) {
  for (let times = 0; times < 2; times += 1) await producer.send(orders, { id, customer: 'ada', cents: 100 }, { id })
}
await billing.caughtUp()
await until(() => sent.length >= 3)
const { rows } = await db
  .selectFrom('billed')
  .select(({ fn }) => fn.countAll().as('rows'))
  .executeTakeFirstOrThrow()
await messaging.close()
await db.destroy()
rmSync(folder, { recursive: true })
console.log(`6 orders came, ${rows} rows, invoices for ${sent.sort().join(' ')}`)
