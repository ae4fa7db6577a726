import { Kafka, logLevel, type Producer, type ProducerConfig } from 'kafkajs'
import type { Outcome } from '../support/ledger.js'
import type { OpenWorkload } from './workload.js'

/** Bare kafkajs with the settings that its documentation gives for safety: all replicas, idempotent, one request in flight. */
export const safest: ProducerConfig = { idempotent: true, maxInFlightRequests: 1 }

export function kafkajsClient(brokers: readonly string[]): Kafka {
  return new Kafka({
    clientId: 'bare',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    requestTimeout: 5_000,
    connectionTimeout: 2_000,
  })
}

export const openKafkajs: OpenWorkload = async ({ brokers, topic, profile }) => {
  const producer = kafkajsClient(brokers).producer(profile === 'cp' ? safest : {})
  await producer.connect()
  return {
    send: (key, value) => sendOne(producer, { topic, acks: profile === 'cp' ? -1 : 1, messages: [{ key, value }] }),
    close: () => producer.disconnect(),
  }
}

/** A resolved send counts as stored where kafkajs says, a rejected one as unknown: kafkajs does not tell which it is. */
export function sendOne(producer: Pick<Producer, 'send'>, request: Parameters<Producer['send']>[0]): Promise<Outcome> {
  return producer.send(request).then(
    ([result]) => ({ kind: 'stored', partition: result?.partition ?? -1, offset: Number(result?.baseOffset ?? -1) }),
    (error: unknown) => ({ kind: 'unknown', reason: error instanceof Error ? error.name : 'error' }),
  )
}
