import { createRequire } from 'node:module'
import { join } from 'node:path'
import { peersFolder, type SpeedClient, type SpeedRecord } from './client.js'
import { handlerOf } from './tidemark-client.js'

/** The slice of @confluentinc/kafka-javascript that is measured, where it was built; it is no dependency. */
interface Module {
  readonly KafkaJS: {
    readonly Kafka: new (config: object) => {
      producer(config: object): {
        connect(): Promise<void>
        disconnect(): Promise<void>
        send(request: { topic: string; messages: readonly SpeedRecord[] }): Promise<unknown>
      }
      consumer(config: object): {
        connect(): Promise<void>
        disconnect(): Promise<void>
        subscribe(topics: object): Promise<void>
        run(handlers: object): Promise<void>
      }
    }
  }
}

export function librdkafkaClient(brokers: readonly string[]): SpeedClient {
  const find = createRequire(join(peersFolder ?? '.', 'package.json'))
  const { KafkaJS } = find('@confluentinc/kafka-javascript') as Module
  const open = () => new KafkaJS.Kafka({ kafkaJS: { brokers: [...brokers], logLevel: 0 } })
  return {
    async producer({ topic, compression }) {
      const kafkaJS = { acks: -1, idempotent: true, compression }
      const producer = open().producer({ kafkaJS, 'linger.ms': 1 })
      await producer.connect()
      return {
        send: (record) => producer.send({ topic, messages: [record] }),
        sendMany: (messages) => producer.send({ topic, messages }),
        close: () => producer.disconnect(),
      }
    },
    async consumer({ topic, group, way, partitions, from, onHandled }) {
      const consumer = open().consumer({ kafkaJS: { groupId: group, fromBeginning: from === 'earliest' } })
      await consumer.connect()
      await consumer.subscribe({ topics: [topic] })
      const handle = handlerOf(way, onHandled)
      await consumer.run(
        way === 'batch'
          ? {
              eachBatch: async ({ batch }: { batch: { messages: readonly unknown[] } }) =>
                onHandled(batch.messages.length, null),
            }
          : {
              partitionsConsumedConcurrently: Math.min(partitions, 64),
              eachMessage: async ({ message }: { message: { value: Buffer } }) => handle(message),
            },
      )
      return { close: () => consumer.disconnect() }
    },
  }
}
