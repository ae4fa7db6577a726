import { setTimeout as sleep } from 'node:timers/promises'
import { builtLibrary } from '../library.js'
import { openTidemark } from '../open-tidemark.js'
import type { SpeedClient, SpeedRecord, Way } from './client.js'

export async function tidemarkClient(brokers: readonly string[], dist: string): Promise<SpeedClient> {
  const library = await builtLibrary(dist)
  const { bytes, defineTopic } = library.tidemark
  return {
    async producer({ topic: name, compression }) {
      const messaging = openTidemark(library, brokers)
      const topic = defineTopic({ name, value: bytes() })
      // The keys of a sendMany come from its topic, which asks for them in order.
      let keys: readonly SpeedRecord[] = []
      let next = 0
      const keyedTopic = defineTopic({ name, value: bytes(), key: () => keys[next++]?.key ?? '' })
      const producer = messaging.producer({ compression })
      const withKey = (key: string | null) => (key === null ? undefined : { key })
      return Promise.resolve({
        send: ({ key, value }) => producer.send(topic, value, withKey(key)),
        sendMany: (records) => {
          keys = records
          next = 0
          return producer.sendMany(
            records[0]?.key === null ? topic : keyedTopic,
            records.map(({ value }) => value),
          )
        },
        close: () => messaging.close(),
      })
    },
    async consumer({ topic: name, group, way, from, onHandled }) {
      const messaging = openTidemark(library, brokers)
      const topic = defineTopic({ name, value: bytes() })
      const shared = { group, topics: [topic], from, ...lanesOf(way) }
      const consumer =
        way === 'batch'
          ? messaging.consumer({
              ...shared,
              handleBatch: async (messages) => onHandled(messages.length, null),
            })
          : messaging.consumer({ ...shared, handle: handlerOf(way, onHandled) })
      await consumer.start()
      return { close: () => messaging.close() }
    },
  }
}

function lanesOf(way: Way) {
  if (way === 'key, 64 lanes') return { order: 'key', concurrency: 64 } as const
  return way === 'key, 256 lanes, 5 ms' ? ({ order: 'key', concurrency: 256 } as const) : {}
}

type Handle = (message: { readonly value: Buffer }) => void | Promise<void>

export function handlerOf(way: Way, onHandled: (count: number, value: Buffer) => void): Handle {
  if (way === 'message, synchronous') return ({ value }) => onHandled(1, value)
  if (!way.endsWith('5 ms')) return async ({ value }) => onHandled(1, value)
  return async ({ value }) => {
    await sleep(5)
    onHandled(1, value)
  }
}
