import { expect, test } from 'vitest'
import { createMemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'
import { memory } from '../../../src/drivers/memory/memory.js'
import { createMessaging } from '../../../src/messaging.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { string } from '../../../src/serde/string.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../../src/topic/define-topic.js'
import { start, topic } from './scripted-driver.js'

const text = defineTopic({ name: 't', value: string() })

function open(configs: Readonly<Record<string, string>>) {
  const clock = virtualClock({ start: 1_700_000_000_000 })
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, latencyMs: [1, 5] })
  cluster.createTopic('t', { partitions: 1, configs })
  const producer = createMessaging({ driver: memory({ cluster, runtime }) }).producer()
  return { clock, producer, stored: () => cluster.records('t', 0).map(({ value }) => String(value)) }
}

test('a record without a key on a compacted topic fails alone, with the words of the broker', async () => {
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

test('a record whose timestamp the topic does not take fails alone', async () => {
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

test('a broker that does not say which record it refuses gets halves, in order, until the culprit is alone', async () => {
  const bench = await start()
  const ends = ['1:a', '1:bad', '1:c'].map((value) =>
    bench.producer.send(topic, value).catch((error: unknown) => error),
  )
  for (let seen = 0, offset = 0; ; seen += 1) {
    await bench.run()
    const next = bench.driver.handedOver[seen]
    if (next === undefined) break
    if (next.values.includes('1:bad')) next.fail('not-stored', 'invalid-record')
    else next.store(offset++)
  }
  expect(await Promise.all(ends)).toMatchObject([{ offset: 0 }, { code: 'invalid-record' }, { offset: 1 }])
  expect(bench.driver.handedOver.map(({ values }) => values)).toEqual([
    ['1:a', '1:bad', '1:c'],
    ['1:a', '1:bad'],
    ['1:a'],
    ['1:bad'],
    ['1:c'],
  ])
})
