import type { Driver } from '../../src/driver/driver.js'
import { TidemarkError } from '../../src/errors.js'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { seededRandom } from './seeded-random.js'
import { delay } from './waiting.js'

export interface CopierTask {
  readonly name: string
  readonly brokers: readonly string[]
  readonly group: string
  readonly from: string
  readonly to: string
  readonly seed: number
  /** Chance of a transaction to be aborted instead of committed. */
  readonly aborted: number
  /** How long each record takes. */
  readonly handleMs?: number
  /** How it is a member; by default in a classic group with a session of 6 s. */
  readonly membership?: object
  readonly transactionTimeoutMs?: number
}

/** A process that copies one topic to another, exactly once, until it is killed or told to end. Told to on standard output. */
const task = JSON.parse(process.argv[2] ?? '{}') as CopierTask
const random = seededRandom(task.seed)
const from = defineTopic({ name: task.from, value: string() })
const to = defineTopic({ name: task.to, value: string() })

/** Some transactions are aborted when they should be committed, as Kafka's own copier does. */
function aborting(driver: Driver): Driver {
  return {
    ...driver,
    createProducer: (settings) => {
      const producer = driver.createProducer(settings)
      const { transactions } = producer
      if (transactions === undefined) return producer
      const commit = transactions.commit.bind(transactions)
      transactions.commit = async (deadline) => {
        if (random() >= task.aborted) return commit(deadline)
        await transactions.abort(deadline)
        console.log('aborted')
        return { outcome: 'aborted', error: new TidemarkError('on-purpose', 'aborted on purpose', { retriable: true }) }
      }
      return producer
    },
  }
}

const messaging = createMessaging({
  driver: aborting(kafkajs({ brokers: [...task.brokers] })),
  clientId: 'copier',
  profile: 'transactional',
  onEvent: ({ kind }) => console.log(kind),
})
const consumer = messaging.consumer({
  group: task.group,
  groupInstanceId: task.name,
  ...(task.membership ?? { sessionTimeoutMs: 6_000 }),
  requestTimeoutMs: Math.min(5_000, (task.transactionTimeoutMs ?? 10_000) / 2),
  topics: [from],
  transaction: {
    everyMs: 200,
    everyMessages: 50 + Math.floor(random() * 701),
    timeoutMs: task.transactionTimeoutMs ?? 10_000,
  },
  handle: async ({ value, partition }, context) => {
    if (task.handleMs !== undefined) await delay(task.handleMs)
    await context.send(to, value, { partition })
  },
  onFailed: (error) => {
    console.error(error)
    process.exit(1)
  },
})
process.once('SIGTERM', () => void messaging.close().then(() => process.exit(0)))
await consumer.start()
console.log('started')
