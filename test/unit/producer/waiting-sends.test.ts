import { describe, expect, test } from 'vitest'
import type { SendError } from '../../../src/errors.js'
import type { Receipt } from '../../../src/producer/receipt.js'
import type { SendManyError } from '../../../src/producer/send-many-error.js'
import type { ChoosePartition } from '../../../src/topic/partitioner.js'
import type { Topic } from '../../../src/topic/topic.js'
import type { CodecRegistry } from '../../../src/wire/compression.js'
import type { GrowingRecords } from '../../../src/wire/growing-records.js'
import { encodeRecordBatch } from '../../../src/wire/record-batch-encoder.js'
import { start, startUnloaded, topic, type Bench } from './scripted-driver.js'

const unstamped = {
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
  isTransactional: false,
  compression: 'gzip',
} as const

/** Room for two records of these tests, and two more in line. */
const small = { maxRequestBytes: 1_024, bufferBytes: 1_300, batchBytes: 1_024 }

function ends<Sent extends readonly Promise<unknown>[]>(sent: Sent): Promise<readonly unknown[]> {
  return Promise.all(sent.map((promise) => promise.catch((error: unknown) => error)))
}

function outcomes(results: readonly unknown[]): readonly unknown[] {
  return results.map((result) => (result as Partial<SendError>).outcome ?? (result as Receipt).offset)
}

/** Stores every batch as it comes until nothing is out. */
async function storeAll(bench: Bench): Promise<void> {
  let offset = 0
  for (let seen = 0; ; seen += 1) {
    await bench.run()
    const next = bench.driver.handedOver[seen]
    if (next === undefined) return
    next.store(offset)
    offset += next.values.length
  }
}

function choosing(choose: ChoosePartition): Topic<string> {
  return { ...topic, partitioner: { name: 'test', create: () => choose } }
}

describe('records that wait for memory and for their topic', () => {
  test('a send whose partition cannot be chosen as it is let in ends once, not stored, and is not sent', async () => {
    const bench = startUnloaded(small)
    let failures = 0
    const flaky = choosing(({ value }) => {
      if (String(value).endsWith('flaky') && (failures += 1) === 1) throw new Error('registry not ready')
      return 0
    })
    const sent = ends(['0:a', '0:b', '0:flaky', '0:c'].map((value) => bench.producer.send(flaky, value)))
    await storeAll(bench)
    expect(outcomes(await sent)).toEqual([0, 1, 'not-stored', 2])
    expect(bench.driver.valuesOf(0)).toEqual(['0:a', '0:b', '0:c'])
    expect(bench.producer.facts()).toMatchObject({ bufferedBytes: 0, waitingSends: 0 })
  })

  test('many sends with one wrong partition among the first all end, in order, and the producer closes', async () => {
    const bench = startUnloaded({ bufferBytes: 100_000, maxRequestBytes: 10_000 })
    const values = Array.from({ length: 1_000 }, (_, index) => `0:${index}`)
    const wrong = bench.producer.send(topic, '0:wrong', { partition: 7 })
    const sent = ends([wrong, ...values.map((value) => bench.producer.send(topic, value))])
    await storeAll(bench)
    const results = await bench.clock.runUntil(sent)
    expect(results[0]).toMatchObject({ code: 'invalid-partition', outcome: 'not-stored' })
    const stored = values.filter((_, index) => typeof outcomes(results)[index + 1] === 'number')
    expect(bench.driver.valuesOf(0)).toEqual(stored)
    expect(stored.length).toBeGreaterThan(100)
    expect(await bench.clock.runUntil(bench.producer.close())).toEqual({ unsent: 0, unknown: 0 })
  })

  test('what a refused record lets in does not pass records that wait for the topic', async () => {
    const bench = startUnloaded({ bufferBytes: 2_400, maxRequestBytes: 2_048 })
    const sent = ends([
      bench.producer.send(topic, '0:wrong', { partition: 7 }),
      ...['0:a', '0:b', '0:c', '0:d'].map((value) => bench.producer.send(topic, value)),
    ])
    await storeAll(bench)
    await sent
    expect(bench.driver.valuesOf(0)).toEqual(['0:a', '0:b', '0:c', '0:d'])
  })

  test('sendMany of nothing but refused records ends, and gives its place and memory back', async () => {
    const bench = startUnloaded(small)
    const sent = bench.producer.sendMany(topic, ['0:a', '0:b', '0:c'], { partition: 99 }).catch((e: unknown) => e)
    await bench.run()
    expect(((await sent) as SendManyError).results).toMatchObject(
      ['a', 'b', 'c'].map(() => ({ code: 'invalid-partition', outcome: 'not-stored' })),
    )
    expect(bench.producer.facts()).toMatchObject({ bufferedBytes: 0, waitingSends: 0 })
    const later = ends([bench.producer.send(topic, '0:later')])
    await storeAll(bench)
    expect(outcomes(await later)).toEqual([0])
  })

  test('a topic that cannot be loaded fails what waits for it once, and the next in line ask for it again', async () => {
    const bench = startUnloaded(small)
    let fail = true
    bench.driver.load = () => (fail ? Promise.reject(new Error('no such topic')) : Promise.resolve())
    const sent = ends(['0:a', '0:b', '0:c'].map((value) => bench.producer.send(topic, value)))
    await Promise.resolve()
    fail = false
    await storeAll(bench)
    expect(outcomes(await sent)).toEqual(['not-stored', 'not-stored', 0])
    expect(bench.driver.loads).toBe(2)
  })

  test('a driver that throws instead of rejecting fails what waits for the topic, not stored', async () => {
    const bench = startUnloaded()
    bench.driver.load = () => {
      throw new Error('defect')
    }
    const sent = ends([bench.producer.send(topic, '0:a')])
    await bench.run()
    expect(outcomes(await sent)).toEqual(['not-stored'])
  })
})

describe('foreign code that sends', () => {
  test('a partitioner that sends while waiting records get their places: what it sends comes after them', async () => {
    const bench = startUnloaded()
    const extra: Promise<Receipt>[] = []
    const sending: Topic<string> = choosing(({ value }) => {
      if (value === '0:a') extra.push(bench.producer.send(sending, '0:extra'))
      return 0
    })
    const sent = ends(['0:a', '0:b', '0:c'].map((value) => bench.producer.send(sending, value)))
    await storeAll(bench)
    await Promise.all([sent, ...extra])
    expect(bench.driver.valuesOf(0)).toEqual(['0:a', '0:b', '0:c', '0:extra'])
  })

  test('a serde that sends while a sendMany waits its turn: what it sends joins the end of the line', async () => {
    const bench = await start(small)
    const extra: Promise<Receipt>[] = []
    const encode = (value: string) => {
      if (value === '0:b') extra.push(bench.producer.send(topic, '0:extra'))
      return Buffer.from(value)
    }
    const sending: Topic<string> = { ...topic, value: { ...topic.value, encode } }
    const sent = bench.producer.sendMany(sending, ['0:a', '0:b', '0:c'])
    await storeAll(bench)
    await Promise.all([sent, ...extra])
    expect([...bench.driver.valuesOf(0)].sort()).toEqual(['0:a', '0:b', '0:c', '0:extra'])
    expect(bench.driver.valuesOf(0).filter((value) => value !== '0:extra')).toEqual(['0:a', '0:b', '0:c'])
  })

  test('metrics that send as batches go and end: every send ends once', async () => {
    const bench = await start(small)
    const extra: Promise<Receipt>[] = []
    const send = () => {
      if (extra.length < 20 && bench.producer.facts().waitingSends === 0)
        extra.push(bench.producer.send(topic, `0:extra ${extra.length}`))
    }
    bench.metrics.count = send
    bench.metrics.observe = send
    const sent = ends(['0:a', '0:b'].map((value) => bench.producer.send(topic, value)))
    await storeAll(bench)
    expect(outcomes(await sent).every((outcome) => typeof outcome === 'number')).toBe(true)
    await Promise.all(extra)
    const values = bench.driver.valuesOf(0)
    expect(new Set(values).size).toBe(values.length)
    expect(values).toHaveLength(2 + extra.length)
  })
})

test('a driver that fails to tell the outcome leaves it unknown, and the next batch goes', async () => {
  const bench = await start()
  const { produce } = bench.driver
  bench.driver.produce = () => Promise.reject(new Error('defect'))
  const lost = ends([bench.producer.send(topic, '0:a')])
  await bench.run()
  expect(outcomes(await lost)).toEqual(['unknown'])
  bench.driver.produce = produce
  const next = ends([bench.producer.send(topic, '0:b')])
  await storeAll(bench)
  expect(outcomes(await next)).toEqual([0])
})

describe('what a batch takes compressed', () => {
  test('counts as memory from when it is there until the batch has ended', async () => {
    const bench = await start({ ...small, compression: 'gzip' })
    const sent = ends([bench.producer.send(topic, '0:a')])
    await bench.run()
    const { batch } = bench.driver.last
    const before = bench.producer.facts().bufferedBytes
    const codecs: CodecRegistry = () => ({ compress: () => Buffer.alloc(600), decompress: (bytes) => bytes })
    await encodeRecordBatch({ ...unstamped, topic: 't', partition: 0, records: batch.records }, codecs)
    expect(bench.producer.facts().bufferedBytes).toBe(before + 600)
    const waiting = ends([bench.producer.send(topic, '0:b')])
    expect(bench.producer.facts().waitingSends).toBe(1)
    await storeAll(bench)
    expect(outcomes(await sent)).toEqual([0])
    expect(outcomes(await waiting)).toEqual([1])
    expect(bench.producer.facts().bufferedBytes).toBe(0)
  })

  test('counts no more when its codec ends after it', async () => {
    const bench = await start({ compression: 'gzip' })
    const sent = ends([bench.producer.send(topic, '0:a')])
    await bench.run()
    const { records } = bench.driver.last.batch
    await storeAll(bench)
    await sent
    ;(records as GrowingRecords).keepPacked(Buffer.alloc(600))
    expect(bench.producer.facts().bufferedBytes).toBe(0)
  })

  test('counts once for a batch that is sent again, and no more for its halves', async () => {
    const bench = await start({ compression: 'gzip' })
    const sent = ends([bench.producer.send(topic, '0:a'), bench.producer.send(topic, '0:b')])
    await bench.run()
    const before = bench.producer.facts().bufferedBytes
    const records = bench.driver.last.batch.records as GrowingRecords
    records.keepPacked(Buffer.alloc(600))
    records.keepPacked(Buffer.alloc(600))
    expect(bench.producer.facts().bufferedBytes).toBe(before + 600)
    bench.driver.last.fail('not-stored', 'message-too-large')
    await bench.run()
    expect(bench.driver.last.values).toEqual(['0:a'])
    expect(bench.producer.facts().bufferedBytes).toBe(before)
    await storeAll(bench)
    await sent
    expect(bench.producer.facts().bufferedBytes).toBe(0)
  })
})
