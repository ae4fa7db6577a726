import type { Driver } from '../../../src/driver.js'
import { healthServer } from '../../../src/health.js'
import { createMessaging, DeadLetter, defineTopic, string, type Messaging } from '../../../src/index.js'
import { deferred } from '../../../src/runtime/deferred.js'
import { until } from '../../support/waiting.js'

/** What stands in keys, values and texts of errors, and must not be shown. */
export const secret = 'PAYLOAD-OF-ONE-CUSTOMER'
/** Markup, a mark that turns the direction of writing, and an escape of a terminal. */
export const hostile = `<img src=x onerror=alert(1)>\u202eevil\u001b[31m`
export const factsToken = 'a token for the facts of members'
export const letters = 1_000

const orders = defineTopic({ name: 'orders', value: string(), partitions: 6 })
const payments = defineTopic({ name: 'payments', value: string(), partitions: 3 })
const ledger = defineTopic({ name: 'ledger', value: string(), partitions: 2 })
const orderLetters = defineTopic({ name: 'orders.dlq', value: string(), partitions: 2, deadLettersOf: orders })
const control = defineTopic({ name: 'alerts.control', value: string(), partitions: 1 })
const shed = defineTopic({ name: 'alerts.shed', value: string(), partitions: 1 })
const allTopics = [orders, payments, ledger, orderLetters, control, shed]

export interface Scene extends AsyncDisposable {
  readonly messaging: Messaging
  /** The health server of the members. */
  readonly members: URL
}

/**
 * A cluster with troubles of each kind: `billing` stands still on one partition, `shipping` keeps up, `invoices` has no
 * members, `audit` has never committed on some partitions, a transaction hides records, letters lie there, something is shed.
 */
export async function startScene(driverOf: () => Driver): Promise<Scene> {
  const messaging = createMessaging({ driver: driverOf(), durability: 'off', logger: 'silent', clientId: 'shop-7' })
  const transactional = createMessaging({
    driver: driverOf(),
    profile: 'transactional',
    durability: 'off',
    logger: 'silent',
  })
  await messaging.ensureTopics(allTopics)
  const producer = messaging.producer({ lingerMs: 5 })
  const sends: Promise<unknown>[] = []
  for (let at = 0; at < 300; at += 1) {
    sends.push(producer.send(orders, `${secret} ${at}`, { key: `${secret} ${at}`, headers: headersOf(at) }))
    sends.push(producer.send(payments, `${secret} ${at}`, { key: `${at}` }))
  }
  for (let at = 0; at < letters; at += 1) sends.push(producer.send(orderLetters, `${secret} ${at}`, letterOf(at)))
  sends.push(producer.send(control, JSON.stringify({ level: 2, epoch: 1, lastsMs: 600_000 })))
  for (let at = 0; at < 40; at += 1) {
    const headers = {
      'td-degrade-outcome': at % 2 === 0 ? 'shed' : hostile,
      'td-degrade-level': '2',
      'td-origin-topic': 'alerts',
    }
    sends.push(producer.send(shed, secret, { headers }))
  }
  await Promise.all(sends)
  await setBack(messaging)

  const gate = deferred<void>()
  const billing = messaging.consumer({
    group: 'billing',
    topics: [orders],
    handle: async ({ partition }) => {
      if (partition === 3) await gate.promise
    },
  })
  const shipping = messaging.consumer({ group: 'shipping', topics: [payments], handle: () => undefined })
  // The open transaction hides all there is from it, so it has nothing to commit.
  const audit = messaging.consumer({ group: 'audit', topics: [ledger], handle: () => undefined })
  await Promise.all([billing.start(), shipping.start(), audit.start()])
  const server = await healthServer({ messaging, port: 0, host: '127.0.0.1', token: factsToken })
  const open = deferred<void>()
  const isOpen = deferred<void>()
  const transaction = transactional.transaction(
    'payout-4',
    async (one) => {
      for (let at = 0; at < 30; at += 1) await one.send(ledger, secret, { key: `${at}` })
      isOpen.resolve()
      await open.promise
      throw new DeadLetter('nothing is paid')
    },
    { timeoutMs: 600_000 },
  )
  const ended = transaction.catch(() => undefined)
  await isOpen.promise
  await until('shipping has done all', () => shipping.lag() === 0, { timeoutMs: 60_000 })
  return {
    messaging,
    members: new URL(`http://127.0.0.1:${server.port}`),
    [Symbol.asyncDispose]: async () => {
      gate.resolve()
      open.resolve()
      await ended
      await server.close()
      await Promise.all([transactional.close(), messaging.close()])
    },
  }
}

function headersOf(at: number): Record<string, string> {
  return {
    traceparent: `00-${String(at).padStart(32, '0')}-${'1'.repeat(16)}-01`,
    customer: secret,
    [hostile]: hostile,
  }
}

const reasons = ['invalid', 'invalid', 'invalid', 'exhausted', 'timeout'] as const
const classes = ['ZodError', 'ZodError', 'TypeError', 'FetchError', hostile] as const

function letterOf(at: number) {
  const failedAt = new Date(Date.now() - (letters - at) ** 2 * 3).toISOString()
  return {
    key: `${secret} ${at % 50}`,
    headers: {
      'td-origin-topic': 'orders',
      'td-origin-partition': String(at % 6),
      'td-origin-offset': String(at),
      'td-reason': reasons[at % 5] as string,
      'td-error-class': classes[at % 5] as string,
      'td-error-message': secret,
      'td-error-stack': secret,
      'td-group': at % 4 === 0 ? 'stock' : 'billing',
      'td-attempt': '4',
      'td-last-failed-at': failedAt,
      customer: secret,
    },
  }
}

/** Groups without members: one far behind, one that has committed in some partitions, one with a name that means harm. */
async function setBack({ admin }: Messaging): Promise<void> {
  const at = (topic: string, offsets: readonly number[]) =>
    offsets.map((offset, partition) => ({ topic, partition, offset }))
  await admin.setOffsets('invoices', at('orders', [0, 3, 1, 0, 2, 5]))
  await admin.setOffsets('ledger-reader', at('ledger', [0, 0]))
  const places = [0, 1, 2].map((partition) => ({ topic: 'payments', partition }))
  await admin.setOffsets(hostile, at('payments', await admin.listOffsets(places, 'latest')))
}
