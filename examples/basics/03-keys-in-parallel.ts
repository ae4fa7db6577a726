/** One partition, many handlers at a time, and still each customer's records one after another. */
import { createMessaging, defineTopic, json } from 'tidemark'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { driver } from './driver.js'
import { until } from './until.js'

const Order = z.object({ customer: z.string(), number: z.number() })
const orders = defineTopic({ name: 'basics.keys', key: 'customer', value: json(Order), partitions: 1 })

const messaging = createMessaging({ driver })
await messaging.ensureTopics([orders])

const customers = ['ada', 'bob', 'cy', 'di']
const records = Array.from({ length: 40 }, (_, index) => ({
  customer: customers[index % customers.length] ?? '',
  number: Math.floor(index / customers.length),
}))
await messaging.producer().sendMany(orders, records)

const done = new Map<string, number[]>(customers.map((customer) => [customer, []]))
const count = () => [...done.values()].flat().length
let running = 0
let mostAtOnce = 0

const consumer = messaging.consumer({
  group: 'basics.keys',
  topics: [orders],
  order: 'key',
  concurrency: 64,
  handle: async ({ value }) => {
    running += 1
    mostAtOnce = Math.max(mostAtOnce, running)
    await sleep(20)
    done.get(value.customer)?.push(value.number)
    running -= 1
  },
})
await consumer.start()
await until(() => count() >= records.length)
// Commits only what has no unfinished record before it; what is done beyond that is kept beside the committed offset.
await messaging.close()

console.log(`${count()} orders of ${customers.length} customers in 1 partition, at most ${mostAtOnce} at once`)
for (const [customer, numbers] of done) console.log(`${customer}: ${numbers.join(' ')}`)
