import { describe, expect, test } from 'vitest'
import { createMemoryCluster } from '../../../src/drivers/memory/memory-cluster.js'
import { memory } from '../../../src/drivers/memory/memory.js'
import { createMessaging } from '../../../src/messaging.js'
import type { ProducerOptions } from '../../../src/producer/producer-options.js'
import type { SendManyOptions } from '../../../src/producer/send-many.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { bytes } from '../../../src/serde/bytes.js'
import { json } from '../../../src/serde/json.js'
import { string } from '../../../src/serde/string.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { defineTopic } from '../../../src/topic/define-topic.js'

const raw = defineTopic({ name: 't', value: bytes() })
const text = defineTopic({ name: 't', value: string() })

/** A producer with room for a few small records at a time. */
const small: ProducerOptions = { bufferBytes: 2_048, maxRequestBytes: 2_048 }

function open(options: ProducerOptions = {}) {
  const clock = virtualClock()
  const runtime = { clock, random: seededRandom(1) }
  const cluster = createMemoryCluster({ runtime, latencyMs: [1, 5] })
  cluster.createTopic('t', { partitions: 2 })
  const producer = createMessaging({ driver: memory({ cluster, runtime }) }).producer(options)
  const stored = (partition = 0) =>
    cluster.records('t', partition).map(({ key, value, headers }) => ({
      key: key === null ? null : String(key),
      value: String(value),
      headers: headers.map(([name, bytes]) => [name, String(bytes)]),
    }))
  return { clock, producer, stored }
}

describe('what a call was given is taken when it returns', () => {
  test('a buffer that is used for one record after the other', async () => {
    const { clock, producer, stored } = open()
    const scratch = { key: Buffer.alloc(4), value: Buffer.alloc(4), header: Buffer.alloc(4) }
    const sent = ['aaaa', 'bbbb', 'cccc'].map((word) => {
      for (const buffer of Object.values(scratch)) buffer.write(word)
      const { key, value, header } = scratch
      return producer.send(raw, value, { key, headers: { h: header }, partition: 0 })
    })
    for (const buffer of Object.values(scratch)) buffer.write('zzzz')
    await clock.runUntil(Promise.all(sent))
    expect(stored()).toEqual(
      ['aaaa', 'bbbb', 'cccc'].map((word) => ({ key: word, value: word, headers: [['h', word]] })),
    )
  })

  test('bytes that are given away after the call', async () => {
    const { clock, producer, stored } = open()
    const given = new Uint8Array([97, 98, 99])
    const sent = producer.send(raw, given as never, { partition: 0 })
    structuredClone(given.buffer, { transfer: [given.buffer] })
    await clock.runUntil(sent)
    expect(stored().map(({ value }) => value)).toEqual(['abc'])
  })

  test('a buffer that is used again while the send waits for room', async () => {
    const { clock, producer, stored } = open(small)
    const scratch = Buffer.alloc(4)
    const sent = ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee', 'ffff'].map((word) => {
      scratch.write(word)
      return producer.send(raw, scratch, { partition: 0 })
    })
    await clock.runUntil(Promise.all(sent))
    expect(stored().map(({ value }) => value)).toEqual(['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee', 'ffff'])
  })

  test('options that the caller uses for the next call while the rest waits', async () => {
    const { clock, producer, stored } = open(small)
    await clock.runUntil(producer.send(text, 'warm', { partition: 0 }))
    const options: { -readonly [Name in keyof SendManyOptions]: SendManyOptions[Name] } = {}
    const values = Array.from({ length: 6 }, (_, index) => `value ${index}`)
    const sent = [0, 1].map((partition) => {
      Object.assign(options, { partition, key: `key ${partition}` })
      return producer.sendMany(text, values, options)
    })
    await clock.runUntil(Promise.all(sent))
    expect(stored(0).slice(1)).toMatchObject(values.map((value) => ({ key: 'key 0', value })))
    expect(stored(1)).toMatchObject(values.map((value) => ({ key: 'key 1', value })))
  })

  test('elements of sendMany that the caller changes while they wait', async () => {
    const { clock, producer, stored } = open(small)
    const values = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name }))
    const sent = producer.sendMany(defineTopic({ name: 't', value: json<{ name: string }>() }), values, {
      partition: 0,
    })
    for (const value of values) value.name = 'changed'
    await clock.runUntil(sent)
    expect(stored().map(({ value }) => value)).toEqual(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `{"name":"${name}"}`),
    )
  })

  test('headers that can be read once go with every record of a sendMany', async () => {
    const { clock, producer, stored } = open()
    const headers = new Map([['trace', '42']]).entries()
    await clock.runUntil(producer.sendMany(text, ['a', 'b', 'c'], { partition: 0, headers }))
    expect(stored().map((record) => record.headers)).toEqual([1, 2, 3].map(() => [['trace', '42']]))
  })
})

describe('a record that cannot be written', () => {
  test('because its bytes have another length each time is not stored, and holds nothing', async () => {
    const { clock, producer, stored } = open()
    await clock.runUntil(producer.send(raw, Buffer.from('first'), { partition: 0 }))
    const liar = Buffer.from('abc')
    let asked = 0
    Object.defineProperty(liar, 'length', { get: () => ((asked += 1) % 2 === 0 ? 3 : 300) })
    const failed = producer.send(raw, liar, { partition: 0 }).catch((error: unknown) => error)
    expect(await clock.runUntil(failed)).toMatchObject({ code: 'invalid-options', outcome: 'not-stored' })
    expect(producer.facts()).toMatchObject({ bufferedBytes: 0, batchesOut: 0 })
    await clock.runUntil(producer.send(raw, Buffer.from('second'), { partition: 0 }))
    expect(stored().map(({ value }) => value)).toEqual(['first', 'second'])
  })

  test('because the wall clock stands before 1970 is refused, and the next one is not', async () => {
    const { clock, producer, stored } = open()
    await clock.runUntil(producer.send(text, 'first', { partition: 0 }))
    const beforeTime = -clock.wallTime() - 1_000
    clock.shiftWallTime(beforeTime)
    const failed = producer.send(text, 'none', { partition: 0 }).catch((error: unknown) => error)
    expect(await clock.runUntil(failed)).toMatchObject({ code: 'invalid-timestamp', outcome: 'not-stored' })
    clock.shiftWallTime(-beforeTime)
    await clock.runUntil(producer.send(text, 'second', { partition: 0 }))
    expect(stored().map(({ value }) => value)).toEqual(['first', 'second'])
    expect(producer.facts()).toMatchObject({ bufferedBytes: 0, batchesOut: 0 })
  })
})
