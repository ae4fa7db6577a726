import { describe, expect, it } from 'vitest'
import { createMemoryCluster } from '../../src/drivers/memory/memory-cluster.js'
import { memory } from '../../src/drivers/memory/memory.js'
import { createMessaging } from '../../src/messaging.js'
import { seededRandom } from '../../src/runtime/random.js'
import { string } from '../../src/serde/string.js'
import { virtualClock } from '../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../src/topic/define-topic.js'
import { CountingMetrics } from './producer/counting-metrics.js'

const text = defineTopic({ name: 't', value: string() })
const throttleMs = 20_000

describe.each(['ap', 'cp'] as const)('a quota that asks for more silence than a request may take, in %s', (profile) => {
  it('is no sign of a lost broker: what was on its way is waited for and nothing is sent again', async () => {
    const clock = virtualClock()
    const metrics = new CountingMetrics()
    const runtime = { clock, random: seededRandom(1) }
    const cluster = createMemoryCluster({ brokers: 1, runtime, latencyMs: [1, 5] })
    cluster.createTopic('t', { partitions: 4, replicationFactor: 1 })
    const messaging = createMessaging({ driver: memory({ cluster, runtime }), profile, metrics })
    const producer = messaging.producer({ requestTimeoutMs: 5_000 })
    await clock.runUntil(producer.send(text, 'warm', { partition: 0 }))
    cluster.faults.throttleNext({ api: 'produce' }, throttleMs)
    const from = clock.now()
    const sent: Promise<unknown>[] = []
    for (let partition = 0; partition < 4; partition += 1) {
      sent.push(producer.send(text, 'a', { partition }))
      await clock.advance(1) // a request of its own
    }
    await clock.advance(2_000)
    sent.push(producer.send(text, 'b', { partition: 0 }))
    await clock.runUntil(Promise.all(sent))
    expect(clock.now() - from).toBeGreaterThanOrEqual(throttleMs)
    expect(clock.now() - from).toBeLessThan(throttleMs + 1_000)
    const stored = [0, 1, 2, 3].reduce((sum, partition) => sum + cluster.records('t', partition).length, 0)
    expect(stored).toBe(sent.length + 1)
    expect(metrics.total('tidemark_producer_retries_total')).toBe(0)
    await clock.runUntil(messaging.close())
  })
})
