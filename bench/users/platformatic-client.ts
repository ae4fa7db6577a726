import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { peersFolder, type SpeedClient } from './client.js'
import { handlerOf } from './tidemark-client.js'

/** The slice of @platformatic/kafka that is measured; it is no dependency, since it needs a newer Node. */
interface Module {
  readonly Producer: new (options: object) => {
    send(request: object): Promise<unknown>
    close(): Promise<void>
  }
  readonly Consumer: new (options: object) => {
    consume(options: object): Promise<AsyncIterable<{ readonly value: Buffer; commit(): unknown }>>
    close(force: boolean): Promise<void>
  }
}

export async function platformaticClient(brokers: readonly string[]): Promise<SpeedClient> {
  const find = createRequire(join(peersFolder ?? '.', 'package.json'))
  const { Producer, Consumer } = (await import(pathToFileURL(find.resolve('@platformatic/kafka')).href)) as Module
  const shared = { clientId: 'bench', bootstrapBrokers: [...brokers] }
  return {
    async producer({ topic, compression }) {
      const producer = new Producer({ ...shared, idempotent: true, acks: -1, compression, autocreateTopics: false })
      const withTopic = ({ key, value }: { key: string | null; value: Buffer }) =>
        key === null ? { topic, value } : { topic, key: Buffer.from(key), value }
      return Promise.resolve({
        send: (record) => producer.send({ messages: [withTopic(record)] }),
        sendMany: (records) => producer.send({ messages: records.map(withTopic) }),
        close: () => producer.close(),
      })
    },
    async consumer({ topic, group, way, from, onHandled }) {
      const consumer = new Consumer({ ...shared, groupId: group })
      const mode = 'committed'
      const stream = await consumer.consume({
        topics: [topic],
        mode,
        fallbackMode: from,
        autocommit: true,
        maxWaitTime: 250,
      })
      const handle = handlerOf(way, onHandled)
      const read = async () => {
        for await (const message of stream) await handle(message)
      }
      read().catch((error: unknown) => process.stderr.write(`platformatic: ${String(error)}\n`))
      return { close: () => consumer.close(true) }
    },
  }
}
