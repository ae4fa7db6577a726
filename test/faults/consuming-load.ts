import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { delay } from '../support/waiting.js'
import { monotonicMs } from './member-log.js'

const keys = 997
const stepMs = 20

/** Sends so many keyed records, evenly over a time, so that there is work whenever something happens. */
export class ConsumingLoad {
  /** Rejects when a record was not stored. */
  readonly done: Promise<void>

  constructor(brokers: readonly string[], topic: string, records: number, overMs: number) {
    this.done = send(brokers, topic, records, overMs)
    this.done.catch(() => undefined)
  }
}

async function send(brokers: readonly string[], name: string, records: number, overMs: number): Promise<void> {
  await using messaging = createMessaging({
    driver: kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING }),
    durability: 'off',
  })
  const producer = messaging.producer()
  const topic = defineTopic({ name, value: string() })
  const startedAt = monotonicMs()
  const stored: Promise<unknown>[] = []
  for (let sent = 0; sent < records;) {
    const due = Math.min(records, Math.ceil(((monotonicMs() - startedAt) / overMs) * records))
    for (; sent < due; sent++) stored.push(producer.send(topic, `record ${sent}`, { key: `key-${sent % keys}` }))
    await delay(stepMs)
  }
  await Promise.all(stored)
}
