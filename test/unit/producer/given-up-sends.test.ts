import { describe, expect, test } from 'vitest'
import { createMemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'
import { memory } from '../../../src/drivers/memory/memory.js'
import type { SendError } from '../../../src/errors.js'
import { createMessaging } from '../../../src/messaging.js'
import type { SendManyError } from '../../../src/producer/send-many-error.js'
import { seededRandom, type Random } from '../../../src/runtime/random.js'
import { string } from '../../../src/serde/string.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../../src/topic/define-topic.js'
import { start, startUnloaded, topic, type Bench } from './scripted-driver.js'
import { tries } from '../../support/long-profile.js'

/** Room for two records of these tests, and two more in line. */
const small = { maxRequestBytes: 1_024, bufferBytes: 1_300, batchBytes: 1_024 }

function send(bench: Bench, value: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) {
  return bench.producer.send(topic, value, options).catch((error: unknown) => error as SendError)
}

const late = (outcome: SendError['outcome']) => ({ code: 'send-timeout', outcome })

describe('a send past its time', () => {
  test('that waits for memory leaves the line, not stored, and those behind it go on in order', async () => {
    const bench = await start(small)
    const sent = [send(bench, '0:a'), send(bench, '0:b')]
    const given = send(bench, '0:given', { timeoutMs: 50 })
    sent.push(send(bench, '0:c'))
    expect(bench.producer.facts().waitingSends).toBe(2)
    await bench.run(50)
    expect(await given).toMatchObject(late('not-stored'))
    expect(bench.producer.facts().waitingSends).toBe(1)
    bench.driver.last.store(1)
    await bench.run()
    bench.driver.last.store(3)
    expect(await bench.clock.runUntil(Promise.all(sent))).toMatchObject([{ offset: 1 }, { offset: 2 }, { offset: 3 }])
    expect(bench.driver.valuesOf(0)).toEqual(['0:a', '0:b', '0:c'])
  })

  test('that waits for its topic is not stored, and gives its memory back', async () => {
    const bench = startUnloaded()
    let loaded = () => undefined as void
    bench.driver.load = () => new Promise((resolve) => (loaded = resolve))
    const given = send(bench, '0:given', { timeoutMs: 50 })
    const other = send(bench, '0:other')
    const held = bench.producer.facts().bufferedBytes
    await bench.run(50)
    expect(await given).toMatchObject(late('not-stored'))
    expect(bench.producer.facts().bufferedBytes).toBeLessThan(held)
    loaded()
    await bench.run()
    bench.driver.last.store(7)
    expect(await other).toMatchObject({ offset: 7 })
    expect(bench.driver.valuesOf(0)).toEqual(['0:other'])
  })

  test('that waits behind another batch is not stored, and is left out of its own', async () => {
    const bench = await start()
    const first = send(bench, '0:first')
    await bench.run()
    const [before, given, after] = [send(bench, '0:b'), send(bench, '0:given', { timeoutMs: 50 }), send(bench, '0:d')]
    await bench.run(50)
    expect(await given).toMatchObject(late('not-stored'))
    bench.driver.last.store(1)
    await bench.run()
    bench.driver.last.store(2)
    expect(await Promise.all([first, before, after])).toMatchObject([{ offset: 1 }, { offset: 2 }, { offset: 3 }])
    expect(bench.driver.valuesOf(0)).toEqual(['0:first', '0:b', '0:d'])
  })

  test('that waits alone takes its batch with it: nothing is sent, and a flush is over', async () => {
    const bench = await start({ lingerMs: 1_000 })
    const given = send(bench, '0:given', { timeoutMs: 50 })
    await bench.run(50)
    expect(await given).toMatchObject(late('not-stored'))
    await bench.clock.runUntil(bench.producer.flush())
    expect(bench.producer.facts().bufferedBytes).toBe(0)
    await bench.run(5_000)
    expect(bench.driver.handedOver).toEqual([])
  })

  test('that may be on its way is unknown, and what comes later changes nothing', async () => {
    const bench = await start()
    const [given, other] = [send(bench, '0:given', { timeoutMs: 50 }), send(bench, '0:other')]
    await bench.run(50)
    expect(await given).toMatchObject(late('unknown'))
    bench.driver.last.store(1)
    expect(await bench.clock.runUntil(other)).toMatchObject({ offset: 2 })
    expect(bench.producer.facts()).toMatchObject({ bufferedBytes: 0, batchesOut: 0 })
  })

  test('whose batch was not written is not stored, and the others go again in its place, in order', async () => {
    const bench = await start()
    bench.driver.isUnwritten = () => true
    const [before, given, after] = [send(bench, '0:b'), send(bench, '0:given', { timeoutMs: 50 }), send(bench, '0:d')]
    await bench.run()
    const behind = send(bench, '0:behind')
    await bench.run(50)
    expect(await given).toMatchObject(late('not-stored'))
    await bench.run(100)
    expect(bench.driver.last.values).toEqual(['0:b', '0:d'])
    bench.driver.last.store(1)
    await bench.run()
    expect(bench.driver.last.values).toEqual(['0:behind'])
    bench.driver.last.store(3)
    const rest = await Promise.all([before, after, behind])
    expect(rest).toMatchObject([{ offset: 1 }, { offset: 2 }, { offset: 3 }])
    expect(bench.producer.facts()).toMatchObject({ bufferedBytes: 0, batchesOut: 0 })
  })

  test('of a batch that comes back for another reason is not sent again', async () => {
    const bench = await start()
    const [given, other] = [send(bench, '0:given', { timeoutMs: 50 }), send(bench, '0:other')]
    await bench.run(50)
    expect(await given).toMatchObject(late('unknown'))
    bench.driver.last.fail('not-stored', 'message-too-large')
    await bench.run()
    expect(bench.driver.last.values).toEqual(['0:other'])
    bench.driver.last.store(1)
    expect(await other).toMatchObject({ offset: 1 })
  })

  test('is left out also behind a batch of which nothing is left', async () => {
    const bench = await start()
    const [first, unknown] = [send(bench, '0:first'), send(bench, '0:unknown', { timeoutMs: 50 })]
    await bench.run()
    const behind = [send(bench, '0:b'), send(bench, '0:given', { timeoutMs: 50 }), send(bench, '0:d')]
    await bench.run(50)
    expect(await Promise.all([unknown, behind[1]])).toMatchObject([late('unknown'), late('not-stored')])
    bench.driver.last.fail('not-stored', 'message-too-large')
    await bench.run()
    bench.driver.last.store(1)
    await bench.run()
    expect(bench.driver.last.values).toEqual(['0:b', '0:d'])
    bench.driver.last.store(2)
    expect(await Promise.all([first, behind[0], behind[2]])).toMatchObject([
      { offset: 1 },
      { offset: 2 },
      { offset: 3 },
    ])
  })

  test('that ended before leaves no timer', async () => {
    const bench = await start()
    const sent = send(bench, '0:a', { timeoutMs: 60_000, signal: new AbortController().signal })
    await bench.run()
    bench.driver.last.store(1)
    await sent
    expect(bench.clock.pendingTimers).toBe(0)
  })
})

describe('a send given up by its signal', () => {
  test('ends as past its time, with the reason of the signal', async () => {
    const bench = await start({ lingerMs: 100 })
    const abort = new AbortController()
    const given = send(bench, '0:given', { signal: abort.signal })
    const reason = new Error('the caller hung up')
    abort.abort(reason)
    await bench.run()
    expect(await given).toMatchObject({ code: 'aborted', outcome: 'not-stored', cause: reason })
  })

  test('that aborted before takes nothing in', async () => {
    const bench = await start()
    const given = await send(bench, '0:given', { signal: AbortSignal.abort() })
    expect(given).toMatchObject({ code: 'aborted', outcome: 'not-stored' })
    await bench.run()
    expect(bench.driver.handedOver).toEqual([])
  })

  test('that aborts in the middle of its call ends once, not stored', async () => {
    const bench = await start()
    const abort = new AbortController()
    const aborting = {
      ...topic,
      value: { ...topic.value, encode: (value: string) => (abort.abort(), topic.value.encode(value)) },
    }
    const sent = bench.producer.sendMany(aborting, ['0:a', '0:b'], { signal: abort.signal })
    const error = await bench.clock.runUntil(sent.catch((failure: unknown) => failure as SendManyError))
    expect(error).toMatchObject({ code: 'aborted', outcome: 'not-stored' })
    await bench.run()
    expect(bench.driver.handedOver).toEqual([])
    expect(bench.producer.facts().bufferedBytes).toBe(0)
  })

  test('a thousand sends with one signal leave one listener, and none of them warns', async () => {
    const bench = await start({ lingerMs: 100 })
    const abort = new AbortController()
    let listeners = 0
    const { signal } = abort
    const add = signal.addEventListener.bind(signal)
    signal.addEventListener = (...given: Parameters<typeof add>) => ((listeners += 1), add(...given))
    const sent = Array.from({ length: 1_000 }, (_, index) => send(bench, `0:${index}`, { signal }))
    abort.abort()
    await bench.run()
    for (const end of await Promise.all(sent)) expect(end).toMatchObject({ outcome: 'not-stored' })
    expect(listeners).toBe(1)
  })
})

test('sendMany past its time tells of each record what became of it', async () => {
  const bench = await start({ ...small, bufferBytes: 2_500 })
  const values = ['0:stored', '1:out', '0:queued', '1:queued', '0:line']
  const sent = bench.producer.sendMany(topic, values, { timeoutMs: 50 }).catch((error: unknown) => error)
  const [zero, one] = [bench.driver.handedOver.length, bench.driver.handedOver.length + 1]
  await bench.run()
  bench.driver.handedOver[zero]?.store(5)
  await bench.run(50)
  const { results, outcome } = (await sent) as SendManyError
  expect(results).toMatchObject([{ offset: 5 }, late('unknown'), { offset: 6 }, late('unknown'), late('unknown')])
  expect(outcome).toBe('unknown')
  bench.driver.handedOver[one]?.store(1)
  await bench.run()
})

test.each([
  [{ timeoutMs: -1 }, /timeoutMs .* is -1; give milliseconds from now/],
  [{ timeoutMs: '5s' }, /timeoutMs .* is a string/],
  [{ signal: {} }, /signal .* is an object; give an AbortSignal/],
])('the limit %o is refused, and nothing is sent', async (options, words) => {
  const bench = await start()
  const error = (await send(bench, '0:a', options as { timeoutMs: number })) as SendError
  expect(error).toMatchObject({ code: 'invalid-options', outcome: 'not-stored' })
  expect(error.message).toMatch(words)
})

test('while no broker can be reached, a send past its time is not stored, and what waits with it is sent afterwards', async () => {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, brokers: 3, latencyMs: [1, 5] })
  cluster.createTopic('t', { partitions: 1, replicationFactor: 3 })
  const text = defineTopic({ name: 't', value: string() })
  const producer = createMessaging({ driver: memory({ cluster, runtime }) }).producer()
  await clock.runUntil(producer.send(text, 'a'))
  for (const node of [0, 1, 2]) cluster.faults.stopBroker(node)
  await clock.advance(100)
  const sent = Array.from({ length: 20 }, (_, index) =>
    producer
      .send(text, `${index}`, index % 2 === 0 ? { timeoutMs: 500 + index } : {})
      .catch((error: unknown) => error as SendError),
  )
  await clock.advance(2_000)
  for (const node of [0, 1, 2]) cluster.faults.startBroker(node)
  const ends = await clock.runUntil(Promise.all(sent))
  ends.forEach((end, index) => expect(end).toMatchObject(index % 2 === 0 ? late('not-stored') : { partition: 0 }))
  const stored = cluster.records('t', 0).map(({ value }) => String(value))
  expect(stored).toEqual(['a', ...Array.from({ length: 10 }, (_, index) => `${2 * index + 1}`)])
})

describe('random histories', () => {
  const seeds = Array.from({ length: tries(40, 150) }, (_, index) => index + 1)

  test.each(seeds)(
    'seed %i: each send ends once, as it is in the log, in order, and nothing is held at the end',
    async (seed) => {
      const random = seededRandom(seed)
      const options = random.next() < 0.5 ? { lingerMs: 20 } : {}
      const bench = await start({ ...options, maxRequestBytes: 2_048, bufferBytes: 12_000 })
      bench.driver.isUnwritten = () => random.next() < 0.5
      const log: string[][] = [[], [], []]
      const sent = await sendAtRandom(bench, random, log)
      bench.driver.isUnwritten = () => false
      await settle(bench, log)
      const ends = await bench.clock.runUntil(Promise.all(sent.map(({ end }) => end)))
      ends.forEach((end, index) => {
        const { value } = sent[index]!
        const times = log.flat().filter((stored) => stored === value).length
        if (!(end instanceof Error)) expect(log[end.partition]?.[end.offset ?? -1]).toBe(value)
        else if (end.outcome === 'not-stored') expect(times).toBe(0)
        else expect(times).toBeLessThan(2)
      })
      for (const values of log) expect(values).toEqual([...values].sort((a, b) => numberOf(a) - numberOf(b)))
      expect(bench.producer.facts()).toMatchObject({ bufferedBytes: 0, batchesOut: 0, waitingSends: 0 })
    },
  )

  interface Sent {
    readonly value: string
    readonly end: Promise<SendError | { partition: number; offset: number | null }>
  }

  async function sendAtRandom(bench: Bench, random: Random, log: string[][]): Promise<readonly Sent[]> {
    const sent: Sent[] = []
    for (let step = 0; step < 60; step += 1) {
      const value = `${Math.floor(random.next() * 3)}:${step}`
      const abort = new AbortController()
      const limit = { timeoutMs: Math.floor(random.next() * 80), signal: abort.signal }
      sent.push({ value, end: send(bench, value, random.next() < 0.6 ? limit : {}) as Sent['end'] })
      if (random.next() < 0.1) abort.abort()
      await bench.run(Math.floor(random.next() * 10))
      for (const handed of bench.driver.out()) if (random.next() < 0.2) end(handed, random, log)
    }
    return sent
  }

  function end(handed: ReturnType<Bench['driver']['out']>[number], random: Random, log: string[][]): void {
    const { partition } = handed.batch
    const chance = random.next()
    if (chance < 0.7) handed.store((log[partition]?.push(...handed.values) ?? 0) - handed.values.length)
    else if (chance < 0.9) handed.fail('not-stored', chance < 0.8 ? 'message-too-large' : 'broken')
    else handed.fail('unknown')
  }

  async function settle(bench: Bench, log: string[][]): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet += 1) {
      await bench.run(100)
      for (const handed of bench.driver.out()) {
        handed.store((log[handed.batch.partition]?.push(...handed.values) ?? 0) - handed.values.length)
        quiet = 0
      }
    }
  }

  const numberOf = (value: string) => Number(value.split(':')[1])
})
