import { createMessaging } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { redrive } from '../../src/redrive.js'

/** A redrive in a process of its own, which kills itself a moment after it has sent `dieAfter`. Says how many it has sent. */
const [brokers = '', from = '', to = '', group = '', dieAfter = 'Infinity'] = process.argv.slice(2)
const messaging = createMessaging({ driver: kafkajs({ brokers: brokers.split(',') }), durability: 'off' })
await redrive(messaging, {
  from,
  allow: [to],
  group,
  perSecond: 2_500,
  onProgress: ({ redriven }) => {
    process.stdout.write(`${redriven}\n`)
    if (redriven >= Number(dieAfter)) setTimeout(() => process.kill(process.pid, 'SIGKILL'), 7)
  },
})
await messaging.close()
process.stdout.write('ended\n')
