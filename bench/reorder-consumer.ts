import { bytes, createMessaging, defineTopic, type Messaging } from 'tidemark'
import { boundedOutOfOrderness } from 'tidemark/event-time'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'
import { countTo } from './measure.js'

const partitions = 8
const perMs = 20
const atOnce = 1_000
const topic = defineTopic({ name: 'bench', value: bytes(), partitions })
const value = Buffer.alloc(200, 'x')

/** Records per CPU second of a consumer that handles nothing much, over logs that are in order and of one time. */
export interface ConsumerRates {
  readonly plain: number
  readonly reorder: number
}

/** The same logs twice: each in the order of its log, then all in the order of event time. */
export async function consumerRates(records: number, cpuSeconds: () => number): Promise<ConsumerRates> {
  const cluster = createMemoryCluster({ brokers: 1 })
  const messaging = createMessaging({ driver: memory({ cluster }), profile: 'cp', logger: 'silent' })
  try {
    cluster.createTopic(topic.name, { partitions })
    fill(cluster, records)
    const plain = await rateOf(messaging, 'plain', records, cpuSeconds)
    const reorder = await rateOf(messaging, 'reorder', records, cpuSeconds)
    return { plain, reorder }
  } finally {
    await messaging.close()
    await cluster.close()
  }
}

function fill(cluster: MemoryCluster, records: number): void {
  const startsAt = Date.now() - records / perMs - 60_000
  const headers: readonly never[] = []
  for (let at = 0; at < records; at += atOnce * partitions) {
    for (let partition = 0; partition < partitions; partition += 1) {
      const some = Array.from({ length: atOnce }, (_, index) => ({
        key: null,
        value,
        headers,
        timestamp: startsAt + Math.floor((at + index * partitions + partition) / perMs),
      }))
      cluster.appendTransaction(topic.name, partition, some, 'commit')
    }
  }
}

async function rateOf(
  messaging: Messaging,
  way: keyof ConsumerRates,
  records: number,
  cpuSeconds: () => number,
): Promise<number> {
  const handled = countTo(records)
  const consumer = messaging.consumer({
    group: way,
    topics: [topic],
    concurrency: 1,
    reorder: way === 'plain' ? undefined : { watermark: boundedOutOfOrderness(1_000) },
    handle: () => handled.add(1),
  })
  const before = cpuSeconds()
  await consumer.start()
  await handled.reached
  const seconds = cpuSeconds() - before
  await consumer.stop()
  return records / seconds
}
