import { closeOnSignal, createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'

/** A service as people write it, whose broker does not answer: it says `waiting`, and waits for what the first argument names. */
const [what, broker = ''] = process.argv.slice(2)
const topic = defineTopic({ name: 't', value: string() })
const messaging = createMessaging({ driver: kafkajs({ brokers: [broker] }) })

async function main(): Promise<void> {
  closeOnSignal(messaging)
  messaging.producer()
  const consumer = messaging.consumer({
    group: 'g',
    topics: [topic],
    handle: () => undefined,
    deadLetter: what === 'look' ? 'd' : undefined,
  })
  setTimeout(() => console.log('waiting'), 50)
  if (what === 'ensureTopics') await messaging.ensureTopics([topic])
  await consumer.start()
  console.log('went on')
  consumer.resume()
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
