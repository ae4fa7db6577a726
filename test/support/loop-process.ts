import { appendFileSync } from 'node:fs'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { delay } from './waiting.js'

/**
 * A loop as people write it: it works (a line `worked` for each record), rests, commits (a line `committed` for the batch),
 * until it has seen `last`. `form` says whether batches or, with `commit: 'confirmed'`, handlers do it. Having worked
 * `dieAfter` records it kills itself, with the last ones worked and not committed.
 */
const [brokers = '', name = '', file = '', last = '', form = 'loop', dieAfter = 'Infinity'] = process.argv.slice(2)
const topic = defineTopic({ name, value: string() })
const messaging = createMessaging({ driver: kafkajs({ brokers: brokers.split(',') }), durability: 'off' })
// Static: whoever comes after a kill is the same member, so no session is waited for.
const settings = { group: name, groupInstanceId: 'one', topics: [topic], sessionTimeoutMs: 6_000 } as const
const say = (line: string) => appendFileSync(file, `${line}\n`)
const restMs = 30
let worked = 0

function work(values: readonly string[]): void {
  for (const value of values) say(`worked ${value}`)
  worked += values.length
  if (worked >= Number(dieAfter)) process.kill(process.pid, 'SIGKILL')
}

async function loop(): Promise<void> {
  const consumer = messaging.consumer({ ...settings, loop: true, batchMessages: 5 })
  await consumer.start()
  for await (const batch of consumer.batches()) {
    const values = batch.messages.map(({ value }) => value)
    work(values)
    await delay(restMs)
    await batch.commit()
    for (const value of values) say(`committed ${value}`)
    if (values.includes(last)) break
  }
}

async function handlers(): Promise<void> {
  let sawLast: () => void = () => undefined
  const seen = new Promise<void>((resolve) => (sawLast = resolve))
  const consumer = messaging.consumer({
    ...settings,
    commit: 'confirmed',
    handle: async ({ value }) => {
      work([value])
      await delay(restMs)
      if (value === last) sawLast()
    },
  })
  await consumer.start()
  await seen
}

await (form === 'loop' ? loop() : handlers())
await messaging.close()
say('ended')
