import { expect, test } from 'vitest'
import { brokerCode } from '../../../../src/connection/broker-error.js'
import { createMemoryCluster } from '../../../../src/drivers/memory/memory-cluster.js'
import { memory } from '../../../../src/drivers/memory/memory.js'
import type { SendError } from '../../../../src/errors.js'
import { createMessaging } from '../../../../src/messaging.js'
import { seededRandom } from '../../../../src/runtime/random.js'
import { string } from '../../../../src/serde/string.js'
import { virtualClock } from '../../../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../../../src/topic/define-topic.js'
import { batch, startScript, stamps } from './producer-script.js'

const text = defineTopic({ name: 't', value: string() })

function open() {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, brokers: 3, latencyMs: [1, 5] })
  cluster.createTopic('t', { partitions: 1, replicationFactor: 3 })
  return { clock, cluster, messaging: createMessaging({ driver: memory({ cluster, runtime }) }) }
}

function send(script: Awaited<ReturnType<typeof startScript>>, withinMs = 10_000) {
  return script.producer.produce(batch(0), script.clock.now() + withinMs)
}

test('a code that nobody knows: with idempotence the same sequence goes again, and the batch is stored once', async () => {
  const { clock, cluster, messaging } = open()
  const producer = messaging.producer()
  await clock.runUntil(producer.send(text, 'a'))
  cluster.faults.failNext({ api: 'produce' }, 500)
  expect(await clock.runUntil(producer.send(text, 'b'))).toMatchObject({ offset: 1 })
})

test('a topic that every answer denied, the first included, has stored nothing', async () => {
  const { clock, cluster, messaging } = open()
  const producer = messaging.producer({ deliveryTimeoutMs: 20_000 })
  await clock.runUntil(producer.send(text, 'a'))
  cluster.deleteTopic('t')
  await clock.advance(100)
  const error = await clock.runUntil(producer.send(text, 'b').catch((caught: unknown) => caught as SendError))
  expect(error).toMatchObject({ outcome: 'not-stored' })
})

test('a topic that was denied after another answer may have stored', async () => {
  const script = await startScript()
  const sent = send(script)
  await script.run()
  script.connection.last.fail('connection-lost', 'maybe')
  for (let attempt = 0; attempt < 20; attempt += 1) {
    await script.run(1_000)
    script.connection.last.answerAll({ errorCode: brokerCode.UNKNOWN_TOPIC_OR_PARTITION })
  }
  expect(await script.clock.runUntil(sent)).toMatchObject({ outcome: 'unknown' })
})

test('an id whose epochs are nearly used up is not taken: nothing could fence the straggler of its last one', async () => {
  const script = await startScript()
  script.connection.initAnswer = () => ({ producerEpoch: script.connection.initCalls === 1 ? 32_767 : 0 })
  const sent = send(script)
  await script.run(1_000)
  script.connection.last.answerAll({})
  expect(await script.clock.runUntil(sent)).toMatchObject({ outcome: 'stored' })
  expect(stamps(script.connection)).toEqual([[200, 0, 0]])
})

test('a topic that is missing is not asked for for ever', async () => {
  const script = await startScript()
  script.connection.metadataErrorCode = brokerCode.UNKNOWN_TOPIC_OR_PARTITION
  await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + 10_000).catch(() => undefined))
  const before = script.connection.metadataCalls
  await script.run(60 * 60_000)
  expect(script.connection.metadataCalls - before).toBeLessThan(20)
})

test('a topic that was deleted is looked for once more, and then no longer', async () => {
  const script = await startScript()
  await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + 10_000))
  script.connection.metadataErrorCode = brokerCode.UNKNOWN_TOPIC_OR_PARTITION
  await script.run(60 * 60_000)
  const afterAnHour = script.connection.metadataCalls
  await script.run(60 * 60_000)
  expect(script.connection.metadataCalls).toBe(afterAnHour)
})

test('a topic that one broker denied for a while goes on to be looked at by its age', async () => {
  const script = await startScript()
  await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + 10_000))
  script.connection.metadataErrorCode = brokerCode.UNKNOWN_TOPIC_OR_PARTITION
  await script.run(70_000)
  script.connection.metadataErrorCode = 0
  await script.run(30_000)
  script.connection.leaders = [1, 1, 2, 2]
  await script.run(120_000)
  expect(script.producer.partitionCount('t')).toBe(4)
})

test('a batch that waits for a socket at its deadline was never written: not stored, and others in its request go again', async () => {
  const script = await startScript()
  script.connection.writes = false
  const given = send(script, 1_000)
  const other = script.producer.produce(batch(1), script.clock.now() + 10_000)
  await script.run(1_000)
  expect(await script.clock.runUntil(given)).toMatchObject({
    outcome: 'not-stored',
    error: { code: 'delivery-timeout' },
  })
  script.connection.writes = true
  await script.run(1_000)
  script.connection.last.answerAll({ baseOffset: 7 })
  expect(await script.clock.runUntil(other)).toMatchObject({ outcome: 'stored', baseOffset: 7 })
  expect(script.connection.produced.map(({ request }) => request.batches.length)).toEqual([2, 1])
})

test('a batch that waits for a socket when the producer closes is not stored', async () => {
  const script = await startScript()
  script.connection.writes = false
  const given = send(script)
  await script.run()
  await script.clock.runUntil(script.producer.close())
  expect(await script.clock.runUntil(given)).toMatchObject({ outcome: 'not-stored', error: { code: 'closed' } })
})

test('a batch that waits for a socket after an attempt that may have stored it stays unknown', async () => {
  const script = await startScript()
  const given = send(script, 2_000)
  await script.run()
  script.connection.writes = false
  script.connection.last.fail('connection-lost', 'maybe')
  await script.run(2_000)
  expect(await script.clock.runUntil(given)).toMatchObject({ outcome: 'unknown' })
})
