import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { kafkajsClient } from '../faults/kafkajs-workload.js'
import type { ConsumingTask } from './consumer.js'

/** Reads a topic by one client or the other, and says which records it handled: their numbers, on a line of JSON. */
const { client, brokers, topic, group, sessionTimeoutMs } = JSON.parse(process.argv[2] ?? '') as ConsumingTask
const everyMs = 100
let handled: number[] = []

function handle(value: string): void {
  handled.push(Number(value.split(' ', 3)[2]))
}

async function byKafkajs(): Promise<void> {
  const consumer = kafkajsClient(brokers).consumer({ groupId: group, sessionTimeout: sessionTimeoutMs })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => handle(message.value?.toString('latin1') ?? '') })
}

async function byTidemark(): Promise<void> {
  const driver = kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const consumer = createMessaging({ driver, clientId: 'proof' }).consumer({
    group,
    topics: [defineTopic({ name: topic, value: string() })],
    sessionTimeoutMs,
    handle: ({ value }) => handle(value),
  })
  await consumer.start()
}

setInterval(() => {
  if (handled.length === 0) return
  process.stdout.write(`${JSON.stringify(handled)}\n`)
  handled = []
}, everyMs)

await (client === 'kafkajs' ? byKafkajs() : byTidemark())
