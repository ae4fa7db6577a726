import { createMessaging } from '../../../src/index.js'
import { kafkajs } from '../../../src/kafkajs.js'
import { sqlOutbox } from '../../../src/sql.js'
import { until } from '../../support/waiting.js'
import { openDatabase, type DatabasePlace } from './open-database.js'
import { ordersTopic, writeOrders, type Writing } from './orders.js'

export interface RelayLife {
  readonly place: DatabasePlace
  readonly brokers: readonly string[]
  readonly topic: string
  readonly relays: number
  /** Its own end, when so often something was stored in Kafka and was to be put on record. */
  readonly crashAtMark: number | null
  /** What it writes itself, since no other process may use a file. */
  readonly writes: Writing | null
  readonly endsWhenSent: boolean
}

const { place, brokers, topic, relays, crashAtMark, writes, endsWhenSent } = JSON.parse(
  process.argv[2] ?? '',
) as RelayLife
const db = openDatabase(place)
const outbox = sqlOutbox(db)
let marks = 0
const mortal = new Proxy(outbox, {
  get(target, name) {
    const value: unknown = Reflect.get(target, name)
    if (typeof value !== 'function') return value
    return (...args: unknown[]): unknown => {
      if (name === 'sent') marks += 1
      if (name === 'sent' && marks === crashAtMark) process.kill(process.pid, 'SIGKILL')
      return Reflect.apply(value, target, args)
    }
  },
})
const messaging = createMessaging({ driver: kafkajs({ brokers: [...brokers] }), durability: 'off', logger: 'silent' })
for (let relay = 0; relay < relays; relay += 1) await messaging.relay(mortal, { pollMs: 30, leaseMs: 1_500 }).start()
if (writes !== null) await writeOrders(db, outbox, ordersTopic(topic), writes)
if (endsWhenSent) {
  await until('everything is sent', async () => (await outbox.backlog()).rows === 0, { timeoutMs: 60_000 })
  await messaging.close()
  await db.destroy()
} else setInterval(() => undefined, 1_000) // until it is killed
