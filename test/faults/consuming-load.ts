import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { delay } from '../support/waiting.js'
import { monotonicMs } from './member-log.js'

const keys = 997
const stepMs = 20

/** Sends keyed records at an even rate, so that there is work whenever something happens. */
export class ConsumingLoad {
  readonly #done: Promise<void>
  #mayStop = false

  /** At least `records`, which take `overMs`; more when it is not stopped by then. */
  constructor(brokers: readonly string[], topic: string, records: number, overMs: number) {
    this.#done = this.#send(brokers, topic, records, records / overMs)
    this.#done.catch(() => undefined)
  }

  /** Resolved when everything is stored; rejects when a record was not. */
  stop(): Promise<void> {
    this.#mayStop = true
    return this.#done
  }

  async #send(brokers: readonly string[], name: string, records: number, perMs: number): Promise<void> {
    await using messaging = createMessaging({
      driver: kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING }),
      durability: 'off',
    })
    const producer = messaging.producer()
    const topic = defineTopic({ name, value: string() })
    const startedAt = monotonicMs()
    const stored: Promise<unknown>[] = []
    for (let sent = 0; sent < records || !this.#mayStop;) {
      const due = Math.ceil((monotonicMs() - startedAt) * perMs)
      for (; sent < due; sent++) stored.push(producer.send(topic, `record ${sent}`, { key: `key-${sent % keys}` }))
      await delay(stepMs)
    }
    await Promise.all(stored)
  }
}
