import { createMessaging, defineTopic, string, type Messaging } from 'tidemark'
import { createMemoryCluster, memory, type MemoryClusterOptions } from 'tidemark/memory'
import { noHeaders } from '../../../src/message/record.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

export const t = defineTopic({ name: 't', value: string() })

export function world(options: MemoryClusterOptions = {}) {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, latencyMs: 1, ...options })
  cluster.createTopic('t', { partitions: options.partitions ?? 1 })
  const open = (extra: object = {}): Messaging =>
    createMessaging({ driver: memory({ cluster, runtime }), clientId: 'c', ...extra })
  const append = (partition: number, count: number, topic = 't') =>
    cluster.appendTransaction(
      topic,
      partition,
      Array.from({ length: count }, (_, index) => ({
        key: null,
        value: Buffer.from(`${index}`),
        headers: noHeaders,
        timestamp: 0,
      })),
      'commit',
    )
  const committed = (group: string, partition = 0, topic = 't') =>
    cluster.committed(group).find((one) => one.topic === topic && one.partition === partition)?.offset
  return { clock, runtime, cluster, open, append, committed }
}
