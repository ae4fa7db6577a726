/** A batch is one transaction; what comes twice is stored once. */
import sqlite from 'node-sqlite3-wasm'
import { createMessaging, defineTopic, json, type Message } from 'tidemark'
import { z } from 'zod'
import { driver } from './driver.js'
import { until } from './until.js'

const Reading = z.object({ id: z.string(), value: z.number() })
type Reading = z.infer<typeof Reading>
const readings = defineTopic({ name: 'basics.readings', key: 'id', value: json(Reading), partitions: 2 })

const db = new sqlite.Database(':memory:')
db.run('create table reading (id text primary key, value real not null)')

/** All rows or none. The key makes it repeatable: a death before Kafka's commit brings the whole batch again. */
function store(messages: readonly Message<Reading>[]): void {
  db.run('begin')
  try {
    for (const { value } of messages) db.run('insert or ignore into reading values (?, ?)', [value.id, value.value])
    db.run('commit')
  } catch (error) {
    db.run('rollback')
    throw error
  }
}

const messaging = createMessaging({ driver })
await messaging.ensureTopics([readings])
const sent = Array.from({ length: 2_500 }, (_, index) => ({ id: `r-${index}`, value: index / 10 }))
await messaging.producer().sendMany(readings, sent)

let received = 0
let largest = 0
const consumer = messaging.consumer({
  group: 'basics.readings',
  topics: [readings],
  batchMessages: 500,
  // Messages of one partition in order. The offset is committed after it has returned, never before.
  handleBatch: (messages) => {
    store(messages)
    received += messages.length
    largest = Math.max(largest, messages.length)
  },
})
await consumer.start()
await until(() => received >= sent.length)
const rows = () => db.get('select count(*) as n from reading')?.['n']
console.log(`${received} received in batches of at most ${largest}, ${rows()} rows`)

for (const { topic, partition } of consumer.assignment()) await consumer.seek(topic, partition, 0)
await until(() => received >= 2 * sent.length)
await messaging.close()
console.log(`all received again, ${rows()} rows`)
db.close()
