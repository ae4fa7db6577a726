import type { Messaging } from 'tidemark'
import type { Library } from './library.js'
import { countTo, keepInFlight, measure, type Bench } from './measure.js'

export const coreRecords = 400_000
export const valueBytes = 200

/** The library's own part: the production protocol over the in-process cluster, no bytes, no network. */
export function coreBenches({ tidemark, memory }: Library): readonly Bench[] {
  const topic = tidemark.defineTopic({ name: 'bench', value: tidemark.bytes(), partitions: 8 })
  const keys = Array.from({ length: 4_096 }, (_, index) => `key-${index}`)
  const value = Buffer.alloc(valueBytes, 'x')

  async function withCluster<T>(work: (messaging: Messaging) => Promise<T>): Promise<T> {
    const cluster = memory.createMemoryCluster({ brokers: 1 })
    const messaging = tidemark.createMessaging({ driver: memory.memory({ cluster }), profile: 'cp' })
    try {
      await messaging.ensureTopics([topic])
      return await work(messaging)
    } finally {
      await messaging.close()
    }
  }

  const sending = (name: string, send: (messaging: Messaging, records: number) => Promise<number>): Bench => ({
    name,
    run: (records = coreRecords) =>
      withCluster(async (messaging) => {
        await messaging.producer().send(topic, value)
        return measure(name, () => send(messaging, records))
      }),
  })

  const singles = (inFlight: number): Bench =>
    sending(`single sends, ${inFlight} in flight`, (messaging, records) => {
      const producer = messaging.producer()
      return keepInFlight(records, inFlight, () => producer.send(topic, value))
    })

  const many = sending('sendMany of 1,000, 4 in flight', async (messaging, records) => {
    const producer = messaging.producer()
    const thousand = Array.from({ length: 1_000 }, () => value)
    await keepInFlight(records / 1_000, 4, () => producer.sendMany(topic, thousand))
    return records
  })

  const handling = (name: string, way: (handled: { add(by: number): void }) => HandlingWay): Bench => ({
    name,
    run: (records = coreRecords) =>
      withCluster(async (messaging) => {
        await fill(messaging, records)
        return measure(name, () => handleAll(messaging, records, way))
      }),
  })

  async function fill(messaging: Messaging, records: number): Promise<void> {
    const producer = messaging.producer()
    await keepInFlight(records, 4_096, (index) =>
      producer.send(topic, value, { key: keys[index % keys.length] as string }),
    )
  }

  async function handleAll(
    messaging: Messaging,
    records: number,
    way: (handled: { add(by: number): void }) => HandlingWay,
  ): Promise<number> {
    const handled = countTo(records)
    const consumer = messaging.consumer({ group: 'bench', topics: [topic], from: 'earliest', ...way(handled) })
    await consumer.start()
    await handled.reached
    await consumer.stop()
    return records
  }

  return [
    singles(256),
    singles(4_096),
    many,
    handling('handled one by one, by partition', (handled) => ({
      order: 'partition',
      concurrency: 1,
      handle: () => handled.add(1),
    })),
    handling('handled one by one, by key, 64 lanes', (handled) => ({
      order: 'key',
      concurrency: 64,
      handle: () => handled.add(1),
    })),
    handling('handled one by one, async, by partition', (handled) => ({
      order: 'partition',
      concurrency: 64,
      handle: async () => handled.add(1),
    })),
    handling('handled one by one, async, by key, 64 lanes', (handled) => ({
      order: 'key',
      concurrency: 64,
      handle: async () => handled.add(1),
    })),
    handling('handleBatch', (handled) => ({ handleBatch: (messages) => handled.add(messages.length) })),
  ]
}

type HandlingWay =
  | { readonly order: 'partition' | 'key'; readonly concurrency: number; readonly handle: () => void | Promise<void> }
  | { readonly handleBatch: (messages: readonly unknown[]) => void }
