/** Handles records in a group; the next consumer of the group goes on where the one before stopped. */
import { createMessaging, defineTopic, json } from 'tidemark'
import { z } from 'zod'
import { driver } from './driver.js'
import { until } from './until.js'

const orders = defineTopic({ name: 'basics.consume', key: 'id', value: json(z.object({ id: z.string() })) })

const messaging = createMessaging({ driver })
await messaging.ensureTopics([orders])
const producer = messaging.producer()

function consumer(name: string, handled: string[]) {
  return messaging.consumer({
    group: 'basics.billing',
    topics: [orders],
    // At least once: a handler that was not finished, or not yet committed, runs again after a crash.
    handle: async ({ value }) => {
      handled.push(value.id)
      console.log(`${name} handles ${value.id}`)
    },
  })
}

await producer.sendMany(orders, [{ id: 'o-1' }, { id: 'o-2' }])
const seenByFirst: string[] = []
const first = consumer('first', seenByFirst)
await first.start()
await until(() => seenByFirst.length >= 2)
// Lets running handlers finish, commits what is done, leaves the group.
await first.stop()
console.log('first stopped')

await producer.send(orders, { id: 'o-3' })
const seenBySecond: string[] = []
const second = consumer('second', seenBySecond)
await second.start()
await until(() => seenBySecond.length >= 1)

// In a service: closeOnSignal(messaging) does this at SIGTERM and SIGINT.
await messaging.close()
console.log('closed')
