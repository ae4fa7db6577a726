/** A loop instead of a handler: it says itself when a batch is done, and knows when the broker has that on record. */
import { createMessaging, defineTopic, json } from 'tidemark'
import { z } from 'zod'
import { driver } from './driver.js'

const Order = z.object({ id: z.string() })
const orders = defineTopic({ name: 'basics.by-hand', value: json(Order), partitions: 1 })

const messaging = createMessaging({ driver })
await messaging.ensureTopics([orders])
const producer = messaging.producer()
for (let at = 0; at < 5; at += 1) await producer.send(orders, { id: `o-${at}` })

const settings = { group: 'basics.by-hand', topics: [orders], loop: true, batchMessages: 2 } as const

const first = messaging.consumer(settings)
await first.start()
for await (const batch of first.batches()) {
  // What the batch holds is settled by commit() or done() and by nothing else.
  const ids = batch.messages.map(({ value }) => value.id)
  if (ids.includes('o-2')) break // a stop: what is committed stays so, and this batch is handled again
  await batch.commit() // resolves when the broker has it: a process killed from here on repeats nothing of it
  console.log(`first committed ${ids.join(' ')}`)
}
console.log(`first ${first.state}`)

const second = messaging.consumer(settings)
await second.start()
for await (const batch of second.batches()) {
  batch.done() // settled; committed as the option `commit` says
  console.log(`second handled ${batch.messages.map(({ value }) => value.id).join(' ')}`)
  if (batch.messages.some(({ value }) => value.id === 'o-4')) break
}
await messaging.close()
