import { expect, test } from 'vitest'
import { createMemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'
import { memory } from '../../../src/drivers/memory/memory.js'
import { createMessaging } from '../../../src/messaging.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { string } from '../../../src/serde/string.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../../src/topic/define-topic.js'

const text = defineTopic({ name: 't', value: string() })

function open(configs: Readonly<Record<string, string>>) {
  const clock = virtualClock({ start: 1_700_000_000_000 })
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, latencyMs: [1, 5] })
  cluster.createTopic('t', { partitions: 1, replicationFactor: 1, configs })
  const producer = createMessaging({ driver: memory({ cluster, runtime }) }).producer()
  return { clock, producer, stored: () => cluster.records('t', 0).map(({ value }) => String(value)) }
}

test.fails('a record without a key on a compacted topic fails alone, with the words of the broker', async () => {
  const { clock, producer, stored } = open({ 'cleanup.policy': 'compact' })
  const sent = [
    producer.send(text, 'a', { key: 'a' }),
    producer.send(text, 'no key').catch((error: unknown) => error),
    producer.send(text, 'b', { key: 'b' }),
  ]
  const [a, refused, b] = await clock.runUntil(Promise.all(sent))
  expect([a, b]).toMatchObject([{ offset: 0 }, { offset: 1 }])
  expect(refused).toMatchObject({
    code: 'invalid-record',
    outcome: 'not-stored',
    message: expect.stringContaining('needs a key'),
  })
  expect(stored()).toEqual(['a', 'b'])
})

test.fails('a record whose timestamp the topic does not take fails alone', async () => {
  const { clock, producer, stored } = open({ 'message.timestamp.after.max.ms': '3600000' })
  const sent = [
    producer.send(text, 'a'),
    producer.send(text, 'early', { timestamp: clock.now() + 7_200_000 }).catch((error: unknown) => error),
    producer.send(text, 'b'),
  ]
  const [a, refused, b] = await clock.runUntil(Promise.all(sent))
  expect([a, b]).toMatchObject([{ offset: 0 }, { offset: 1 }])
  expect(refused).toMatchObject({ code: 'invalid-timestamp', outcome: 'not-stored' })
  expect(stored()).toEqual(['a', 'b'])
})
