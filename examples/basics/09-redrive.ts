/** Once the handler is mended, dead letters go back to where they came from; what was handled before is not handled twice. */
import { createMessaging, DeadLetter, defineTopic, json } from 'tidemark'
import { memoryDedupe } from 'tidemark/dedupe'
import { redrive } from 'tidemark/redrive'
import { z } from 'zod'
import { driver } from './driver.js'
import { until } from './until.js'

const Order = z.object({ id: z.string(), country: z.string() })
const orders = defineTopic({ name: 'basics.shipments', key: 'id', value: json(Order), partitions: 2 })
const letters = defineTopic({ name: 'basics.shipments.dlq', value: json(Order), deadLettersOf: orders })

const messaging = createMessaging({ driver })
await messaging.ensureTopics([orders, letters])

let isMended = false
const shipped: string[] = []
let failures = 0
const consumer = messaging.consumer({
  group: 'basics.shipments',
  topics: [orders],
  deadLetter: { topic: letters, breaker: false },
  // A redrive that is killed may send a letter twice.
  dedupe: memoryDedupe(),
  handle: ({ value: { id, country } }) => {
    if (country !== 'IT' || isMended) return void shipped.push(id)
    failures += 1
    throw new DeadLetter('no carrier for this country')
  },
})
await consumer.start()
const producer = messaging.producer()
for (const [index, country] of ['FR', 'IT', 'ES', 'IT'].entries()) {
  await producer.send(orders, { id: `o-${index + 1}`, country }, { id: `o-${index + 1}` })
}
await until(() => shipped.length === 2 && failures === 2)
await consumer.caughtUp()
console.log(`shipped: ${shipped.sort().join(' ')}`)

isMended = true
const options = {
  from: letters,
  allow: [orders], //                      letters go back to these topics and to no other
  group: 'basics.shipments.redrive-1', //  its progress is kept under this name
  select: { reason: 'rejected', error: /no carrier/ },
}
const planned = await redrive(messaging, { ...options, dryRun: true })
console.log(`would go: ${planned.redriven}, shipped: ${shipped.length}`)
const { redriven, left } = await redrive(messaging, options)
console.log(`went: ${redriven}, left: ${left}`)
await until(() => shipped.length === 4)
console.log(`shipped: ${shipped.sort().join(' ')}`)
const again = await redrive(messaging, options)
console.log(`went by the same call once more: ${again.redriven}`)
await messaging.close()
