import { appendFileSync } from 'node:fs'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { delay } from './waiting.js'

/**
 * A member that keeps the order of keys while some of their records are put off: `sick` ones fail twice. A line for each
 * attempt and each success, written before anything else happens, so that a kill loses none. Ends on SIGTERM.
 */
const [brokers = '', name = '', file = '', firstDelay = '2s', secondDelay = '3s'] = process.argv.slice(2)
const topic = defineTopic({ name, value: string() })

const messaging = createMessaging({
  driver: kafkajs({ brokers: brokers.split(',') }),
  profile: 'cp',
  durability: 'off',
  logger: 'silent',
})
const consumer = messaging.consumer({
  group: name,
  sessionTimeoutMs: 6_000,
  topics: [topic],
  order: 'key',
  retry: false,
  retryLater: { delays: [Number(firstDelay), Number(secondDelay)] },
  handle: async ({ value }, { attempt }) => {
    const [kind, key, number] = value.split(' ')
    appendFileSync(file, `tried ${key} ${number}\n`)
    await delay(2)
    if (kind === 'sick' && attempt <= 2) throw new Error('not yet')
    appendFileSync(file, `handled ${key} ${number}\n`)
  },
})
await consumer.start()
appendFileSync(file, 'started\n')
process.once('SIGTERM', () => void messaging.close())
