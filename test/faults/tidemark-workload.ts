import { logLevel } from 'kafkajs'
import { createMessaging, defineTopic, SendError, string, type Receipt } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import type { Outcome } from '../support/ledger.js'
import type { OpenWorkload } from './workload.js'

/** tidemark in one of its profiles, with every setting as it comes. */
export const openTidemark: OpenWorkload = async ({ brokers, topic: name, profile }) => {
  const driver = kafkajs({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const messaging = createMessaging({ driver, clientId: 'faults', profile })
  const producer = messaging.producer()
  const topic = defineTopic({ name, value: string() })
  await producer.connect()
  return {
    send: (key, value) => producer.send(topic, value, { key }).then(stored, failed),
    close: () => messaging.close(),
  }
}

const stored = ({ partition, offset }: Receipt): Outcome => ({ kind: 'stored', partition, offset: offset ?? -1 })

export function failed(error: unknown): Outcome {
  if (error instanceof SendError) return { kind: error.outcome, reason: error.code }
  return { kind: 'unknown', reason: `not a SendError: ${String(error)}` }
}
