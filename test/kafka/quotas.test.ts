import { logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMessaging, defineTopic, string } from '../../src/index.js'
import { kafkajs } from '../../src/kafkajs.js'
import { java } from '../support/java.js'
import { readTopic } from '../support/java-client.js'
import { startCluster, type KafkaCluster } from '../support/kafka-cluster.js'
import { CountingMetrics } from '../unit/producer/counting-metrics.js'
import { configCommand } from './wire/java-tools.js'

/** Over windows of five seconds so many bytes at once are answered with a throttle of six and a half, and then forgotten. */
const windows = 6
const bytesPerSecond = 1_000
const burstBytes = 11_500
/** Shorter than the throttle, and longer than an answer takes on a machine that does much else. */
const requestTimeoutMs = 4_000

describe('a quota that throttles for longer than a request may take', () => {
  let cluster: KafkaCluster
  beforeAll(async () => {
    cluster = await startCluster({ properties: { 'quota.window.num': windows } })
    await java(cluster.installation, configCommand, [
      ...['--bootstrap-server', cluster.internalBrokers.join(','), '--alter', '--entity-type', 'clients'],
      ...['--entity-default', '--add-config', `producer_byte_rate=${bytesPerSecond}`],
    ])
  })
  afterAll(async () => {
    await cluster?.stop()
  })

  // At once, because each waits alone.
  it.concurrent.each(['ap', 'cp'] as const)(
    'stores in %s what it acknowledges, once and nothing more',
    async (profile) => {
      const topic = defineTopic({ name: `throttled-${profile}`, value: string() })
      await cluster.createTopic(topic.name, { partitions: 2 })
      const metrics = new CountingMetrics()
      const messaging = createMessaging({
        driver: kafkajs({ brokers: [...cluster.brokers], clientId: profile, logLevel: logLevel.NOTHING }),
        profile,
        durability: 'off',
        metrics,
      })
      const producer = messaging.producer({ requestTimeoutMs })
      const acknowledged: string[] = []
      const send = async (value: string, partition: number) => {
        const { offset } = await producer.send(topic, value, { partition })
        acknowledged.push(`${partition}/${offset}/${value}`)
      }
      const startedAt = Date.now()
      await send('x'.repeat(burstBytes), 0)
      // What is sent while the broker is silent, some of it as requests of their own.
      const waiting: Promise<void>[] = []
      for (let at = 0; at < 16; at++) {
        waiting.push(send(`record ${at}`, at % 2))
        if (at % 4 === 3) await new Promise((resolve) => setTimeout(resolve, 200))
      }
      await Promise.all(waiting)
      expect(Date.now() - startedAt, 'the broker throttled').toBeGreaterThan(5_000)
      await messaging.close()

      const stored = await readTopic(cluster, topic.name)
      expect(stored.map(({ partition, offset, value }) => `${partition}/${offset}/${value}`).sort()).toEqual(
        acknowledged.sort(),
      )
      expect(stored).toHaveLength(17)
      expect(metrics.total('tidemark_producer_retries_total')).toBe(0)
    },
  )
})
