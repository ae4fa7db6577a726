import { openSync, writeSync } from 'node:fs'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { boundedOutOfOrderness } from '../../src/event-time.js'
import { kafkajs } from '../../src/kafkajs.js'
import { delay } from './waiting.js'

/**
 * A consumer in event-time order that writes a line for each record before its handler ends: epoch, time, partition, offset,
 * and whether it is late. A message `stop` stops it in order.
 */
const [brokers = '', name = '', file = '', membership = '{}', boundMs = '0', perSecond = '0'] = process.argv.slice(2)
const topic = defineTopic({ name, value: string() })
const messaging = createMessaging({
  driver: kafkajs({ brokers: brokers.split(',') }),
  durability: 'off',
  logger: 'silent',
})
const out = openSync(file, 'a')
const startedAt = Date.now()
let handled = 0
// A line is written in one piece, so a kill leaves none behind that is half.
const say = (...fields: readonly (string | number)[]) => writeSync(out, `${fields.join(' ')}\n`)

const consumer = messaging.consumer({
  group: name,
  ...(JSON.parse(membership) as object),
  topics: [topic],
  reorder: {
    watermark: boundedOutOfOrderness(Number(boundMs)),
    late: {
      policy: 'callback',
      onLate: ({ partition, offset }, { order }) =>
        void say('late', order?.epoch ?? -1, order?.timestamp ?? -1, partition, offset),
    },
  },
  handle: async ({ partition, offset }, { order }) => {
    say('in-time', order?.epoch ?? -1, order?.timestamp ?? -1, partition, offset)
    handled += 1
    const aheadMs = (handled / Number(perSecond)) * 1_000 - (Date.now() - startedAt)
    if (aheadMs > 20) await delay(aheadMs)
  },
})
process.on('message', (message) => {
  if (message === 'stop') void messaging.close().then(() => process.exit(0))
})
await consumer.start()
say('started')
