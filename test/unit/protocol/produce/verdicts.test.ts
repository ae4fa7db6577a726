import { describe, expect, test } from 'vitest'
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

test('batches that wait for a socket when the producer closes are not stored, all of a request', async () => {
  const script = await startScript()
  script.connection.writes = false
  const given = [send(script), script.producer.produce(batch(1), script.clock.now() + 10_000)]
  await script.run()
  expect(script.connection.last.request.batches).toHaveLength(2)
  await script.clock.runUntil(script.producer.close())
  for (const one of given) {
    expect(await script.clock.runUntil(one)).toMatchObject({ outcome: 'not-stored', error: { code: 'closed' } })
  }
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

describe('a batch that is recalled', () => {
  async function recalled(prepare: (script: Awaited<ReturnType<typeof startScript>>) => Promise<void> | void) {
    const script = await startScript()
    const handed = batch(0)
    const sent = script.producer.produce(handed, script.clock.now() + 60_000)
    await prepare(script)
    const before = script.connection.produced.length
    const isRecalled = script.producer.recall?.(handed)
    await script.run(3_000)
    return { script, handed, sent, isRecalled, before }
  }
  const returned = { outcome: 'not-stored', error: { code: 'recalled' } }

  test('while it waits for a request ends as not stored, and is not sent', async () => {
    const { script, sent, isRecalled } = await recalled(() => undefined)
    expect(isRecalled).toBe(true)
    expect(await sent).toMatchObject(returned)
    expect(script.connection.produced).toEqual([])
  })

  test('while it waits for another attempt ends as not stored, and is not sent again', async () => {
    const { script, sent, isRecalled, before } = await recalled(async (started) => {
      await started.run()
      started.connection.last.fail('cannot-connect', 'never')
      await started.run()
    })
    expect(isRecalled).toBe(true)
    expect(await sent).toMatchObject(returned)
    expect(script.connection.produced.length).toBe(before)
  })

  test('while its request waits for a socket ends as not stored; its sequence goes to the next batch', async () => {
    const { script, sent, isRecalled } = await recalled(async (started) => {
      started.connection.writes = false
      await started.run()
    })
    expect(isRecalled).toBe(true)
    expect(await sent).toMatchObject(returned)
    script.connection.writes = true
    void send(script)
    await script.run()
    expect(stamps(script.connection)).toEqual([
      [100, 0, 0],
      [100, 0, 0],
    ])
  })

  test('when its request was written goes on', async () => {
    const { script, sent, isRecalled } = await recalled((started) => started.run())
    expect(isRecalled).toBe(false)
    script.connection.last.answerAll({ baseOffset: 3 })
    expect(await sent).toMatchObject({ outcome: 'stored', baseOffset: 3 })
  })

  test('when an attempt may have stored it goes on', async () => {
    const { script, sent, isRecalled } = await recalled(async (started) => {
      await started.run()
      started.connection.last.fail('connection-lost', 'maybe')
      await started.run()
    })
    expect(isRecalled).toBe(false)
    script.connection.last.answerAll({ baseOffset: 3 })
    expect(await sent).toMatchObject({ outcome: 'stored', baseOffset: 3 })
  })

  test('after its end, or that was never handed over, stays as it is', async () => {
    const { script, handed, sent } = await recalled(() => undefined)
    await sent
    expect(script.producer.recall?.(handed)).toBe(false)
    expect(script.producer.recall?.(batch(1))).toBe(false)
  })
})
