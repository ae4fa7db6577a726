import { createMessaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { redrive } from '../../src/redrive.js'

/** A redrive in a process of its own, which is there to be killed. Says how many it has sent. */
const [brokers = '', from = '', to = '', group = ''] = process.argv.slice(2)
const messaging = createMessaging({ driver: kafkajs({ brokers: brokers.split(',') }), durability: 'off' })
await redrive(messaging, {
  from,
  allow: [to],
  group,
  perSecond: 2_500,
  onProgress: ({ redriven }) => process.stdout.write(`${redriven}\n`),
})
await messaging.close()
process.stdout.write('ended\n')
