import kafkajsPackage from 'kafkajs'
import type { SpeedClient } from './client.js'
import { handlerOf } from './tidemark-client.js'

const { Kafka, logLevel, Partitioners } = kafkajsPackage

export function kafkajsClient(brokers: readonly string[]): SpeedClient {
  const open = () => new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  return {
    async producer({ topic }) {
      const producer = open().producer({
        idempotent: true,
        maxInFlightRequests: 1, // more lose the order that idempotence is for
        createPartitioner: Partitioners.DefaultPartitioner,
      })
      await producer.connect()
      return {
        send: (record) => producer.send({ topic, messages: [record] }),
        sendMany: (records) => producer.sendBatch({ topicMessages: [{ topic, messages: [...records] }] }),
        close: () => producer.disconnect(),
      }
    },
    async consumer({ topic, group, way, partitions, from, onHandled }) {
      const consumer = open().consumer({ groupId: group, maxWaitTimeInMs: 250 })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: from === 'earliest' })
      const handle = handlerOf(way, onHandled)
      await consumer.run(
        way === 'batch'
          ? { eachBatch: async ({ batch }) => onHandled(batch.messages.length, null) }
          : {
              partitionsConsumedConcurrently: Math.min(partitions, 64),
              eachMessage: async ({ message }) => handle({ value: message.value as Buffer }),
            },
      )
      return { close: () => consumer.disconnect() }
    },
  }
}
