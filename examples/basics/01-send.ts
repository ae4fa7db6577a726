/** Sends typed records and shows where they were stored, and what happens to one that must not go out. */
import { createMessaging, defineTopic, json, SendError } from 'tidemark'
import { z } from 'zod'
import { driver } from './driver.js'

const Order = z.object({ id: z.string(), customer: z.string(), cents: z.number().int().positive() })

// Name, key, format and schema in one place: what sends and what reads cannot disagree.
const orders = defineTopic({ name: 'basics.send', key: 'customer', value: json(Order), partitions: 3 })

const messaging = createMessaging({ driver, clientId: 'shop' })
await messaging.ensureTopics([orders])
const producer = messaging.producer()

// Resolves when the record is on every in-sync replica.
const receipt = await producer.send(orders, { id: 'o-1', customer: 'ada', cents: 1_250 })
console.log(`o-1 is stored: partition ${receipt.partition}, offset ${receipt.offset}`)

// One receipt each, in the same order. Records of one key share a partition, so they stay in order.
const receipts = await producer.sendMany(orders, [
  { id: 'o-2', customer: 'ada', cents: 300 },
  { id: 'o-3', customer: 'bob', cents: 999 },
])
console.log(`o-2 is beside o-1: ${receipts[0]?.partition === receipt.partition}`)

try {
  await producer.send(orders, { id: 'o-4', customer: 'bob', cents: -1 })
} catch (error) {
  if (!(error instanceof SendError)) throw error
  // 'not-stored': sending again cannot double it. 'unknown': it may be there; send again with the same id.
  console.log(`o-4 is ${error.outcome}: ${error.message}`)
}

// Sends what waits, then closes the connections.
await messaging.close()
console.log('closed')
