import { appendFileSync } from 'node:fs'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { delay } from './waiting.js'

/**
 * A consumer by key of a topic with `good`, `shaky` (fail twice) and `poison` records, that kills itself at the `after`th time
 * that it comes to `dieAt`: `handled`, the last line of a handler; `lettered`, a letter is acknowledged and its record not
 * settled; `asleep`, in the middle of the wait for a retry; `never`. A line for each thing that happens, with its place.
 */
const [brokers = '', name = '', file = '', dieAt = 'never', after = '0'] = process.argv.slice(2)
const topic = defineTopic({ name, value: string() })

let left = Number(after)
function pass(point: string): void {
  if (point !== dieAt) return
  left -= 1
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}
const say = (what: string, { partition, offset }: { partition: number; offset: number }, attempt: number) =>
  appendFileSync(file, `${what} ${partition} ${offset} ${attempt}\n`)

const messaging = createMessaging({
  driver: kafkajs({ brokers: brokers.split(',') }),
  profile: 'cp',
  durability: 'off',
  logger: 'silent',
  onEvent: (event) => {
    if (event.kind === 'dead-lettered') {
      say('lettered', event, event.attempt)
      pass('lettered')
    }
    if (event.kind === 'handling-retried' && event.delayMs > 20) setTimeout(() => pass('asleep'), event.delayMs / 2)
  },
})
const consumer = messaging.consumer({
  group: name,
  // Static: whoever comes after a kill is the same member, so no session is waited for.
  groupInstanceId: 'one',
  sessionTimeoutMs: 6_000,
  topics: [topic],
  order: 'key',
  concurrency: 4,
  retry: { retries: 2, backoff: { initialMs: 100, maxMs: 200 } },
  deadLetter: { topic: `${name}.dlq`, breaker: false },
  handle: async (message, { attempt }) => {
    say('begun', message, attempt)
    await delay(10)
    if (message.value.startsWith('poison')) throw new Error('cannot be handled')
    if (message.value.startsWith('shaky') && attempt < 3) throw new Error('not yet')
    say('handled', message, attempt)
    pass('handled')
  },
})
await consumer.start()
while (consumer.lag() !== 0) await delay(20)
await messaging.close()
appendFileSync(file, 'ended\n')
