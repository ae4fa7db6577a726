import { writeSync } from 'node:fs'
import kafkajsPackage from 'kafkajs'
import { closeOnSignal, createMessaging, defineTopic, string } from '../src/index.js'
import { kafkajs } from '../src/kafkajs.js'
import type { RebalanceTask } from './rebalance-crew.js'

/** A member of a group as a process of its own, which tells of every record when it has it. */
const task = JSON.parse(process.argv[2] ?? '') as RebalanceTask

/** Written at once, so that nothing that was handled is untold when the process is killed. */
function tell(line: string): void {
  writeSync(1, `${line}\n`)
}

const handled = (partition: number, offset: number | string) =>
  tell(`handled ${partition} ${offset} ${process.hrtime.bigint() / 1_000n}`)

async function startTidemark(): Promise<void> {
  const messaging = createMessaging({
    driver: kafkajs({ brokers: [...task.brokers], logLevel: kafkajsPackage.logLevel.NOTHING, clientId: task.name }),
    durability: 'off',
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  })
  closeOnSignal(messaging)
  const consumer = messaging.consumer({
    group: task.group,
    groupInstanceId: task.instance,
    assignors: task.assignors ?? undefined,
    groupProtocol: task.groupProtocol ?? undefined,
    topics: [defineTopic({ name: task.topic, value: string() })],
    handle: ({ partition, offset }) => handled(partition, offset),
  })
  await consumer.start({ timeoutMs: 120_000 })
}

async function startKafkajs(): Promise<void> {
  const { Kafka, logLevel } = kafkajsPackage
  const client = new Kafka({ clientId: task.name, brokers: [...task.brokers], logLevel: logLevel.NOTHING })
  const consumer = client.consumer({ groupId: task.group })
  process.once('SIGTERM', () => void consumer.disconnect().then(() => process.exit(0)))
  await consumer.connect()
  await consumer.subscribe({ topics: [task.topic], fromBeginning: true })
  await consumer.run({
    eachMessage: ({ partition, message }) => Promise.resolve(handled(partition, message.offset)),
  })
}

await (task.client === 'tidemark' ? startTidemark() : startKafkajs())
tell('up')
