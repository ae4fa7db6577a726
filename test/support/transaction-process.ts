import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'

/**
 * One transaction, which says `sent` when its first record is stored, and goes on when it is told anything; then says how it
 * ended: `committed`, or outcome and code.
 */
const [brokers = '', name = '', id = ''] = process.argv.slice(2)
const topic = defineTopic({ name, value: string() })
const driver = kafkajs({ brokers: brokers.split(',') })
const messaging = createMessaging({ driver, profile: 'transactional', durability: 'off', logger: 'silent' })
const told = new Promise((resolve) => process.stdin.once('data', resolve))
const ended = await messaging
  .transaction(id, async (transaction) => {
    await transaction.send(topic, 'before')
    process.stdout.write('sent\n')
    await told
    await transaction.send(topic, 'after')
  })
  .then(
    () => 'committed',
    (error: { readonly outcome: string; readonly code: string }) => `${error.outcome} ${error.code}`,
  )
process.stdout.write(`${ended}\n`)
process.stdin.destroy()
await messaging.close()
