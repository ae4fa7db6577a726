/** What cannot be read or handled is put aside with the reason, and its neighbours go on. */
import { bytes, createMessaging, DeadLetter, defineTopic, json } from 'tidemark'
import { z } from 'zod'
import { driver } from './driver.js'
import { until } from './until.js'

const Order = z.object({ id: z.string(), cents: z.number().positive() })
const orders = defineTopic({ name: 'basics.orders', value: json(Order), partitions: 1 })
const putAside = defineTopic({ name: 'basics.orders.dlq', value: bytes(), partitions: 1 })
// The same topic without the schema, as a careless producer sees it.
const anything = defineTopic({ name: orders.name, value: bytes() })

const messaging = createMessaging({ driver })
await messaging.ensureTopics([orders, putAside])
const producer = messaging.producer()

await producer.send(orders, { id: 'o-1', cents: 100 })
await producer.send(anything, Buffer.from('{"id":'))
await producer.send(anything, Buffer.from('{"id":"o-3","cents":-5}'))
await producer.send(orders, { id: 'o-4', cents: 400 })
await producer.send(orders, { id: 'o-5', cents: 500 })

const handled: string[] = []
const consumer = messaging.consumer({
  group: 'basics.orders',
  topics: [orders],
  // Without it a record that fails stops its partition, visibly, until somebody decides.
  deadLetter: putAside.name,
  handle: ({ value }) => {
    if (value.id === 'o-4') throw new DeadLetter('the customer does not exist')
    handled.push(value.id)
  },
})
await consumer.start()

const reasons: string[] = []
const reader = messaging.consumer({
  group: 'basics.orders.dlq',
  topics: [putAside],
  // The value is there byte for byte; headers say where it comes from and why.
  handle: ({ headers, value }) => {
    reasons.push(`${headers.get('td-reason')}, ${headers.get('td-error-message')}: ${String(value)}`)
  },
})
await reader.start()
await until(() => handled.length >= 2 && reasons.length >= 3)
await messaging.close()

console.log(`handled: ${handled.join(' ')}`)
for (const reason of reasons) console.log(`put aside: ${reason}`)
