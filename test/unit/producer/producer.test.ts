import { describe, expect, test } from 'vitest'
import { SendError, StateError } from '../../../src/errors.js'
import type { Receipt } from '../../../src/producer/receipt.js'
import { SendManyError } from '../../../src/producer/send-many-error.js'
import { defineTopic } from '../../../src/topic/define-topic.js'
import { start, startUnloaded, topic, type Bench } from './scripted-driver.js'

/** Settles without a test failing for a rejection nobody looks at yet. */
function watched(sent: Promise<Receipt>): Promise<Receipt | SendError> {
  return sent.catch((error: unknown) => error as SendError)
}

async function ended<T>(bench: Bench, promise: Promise<T>): Promise<T> {
  return bench.clock.runUntil(promise)
}

describe('receipts', () => {
  test('each record of a batch gets its own offset and its own timestamp', async () => {
    const bench = await start()
    const sent = [5, 6].map((timestamp) => bench.producer.send(topic, '1:x', { timestamp }))
    await bench.run()
    bench.driver.last.store(40)
    expect(await Promise.all(sent)).toEqual([
      { topic: 't', partition: 1, offset: 40, timestamp: 5 },
      { topic: 't', partition: 1, offset: 41, timestamp: 6 },
    ])
  })

  test("the broker's time is the timestamp when the topic uses LogAppendTime", async () => {
    const bench = await start()
    const sent = bench.producer.send(topic, '1:x')
    await bench.run()
    bench.driver.last.store(0, 77)
    expect(await sent).toMatchObject({ timestamp: 77 })
  })

  test('the offset is null when the broker did not tell it', async () => {
    const bench = await start()
    const sent = bench.producer.send(topic, '1:x')
    await bench.run()
    bench.driver.last.store(null)
    expect(await sent).toMatchObject({ offset: null })
  })
})

describe('outcomes', () => {
  test.each(['not-stored', 'unknown'] as const)(
    'a batch that ended %s rejects each of its sends so',
    async (outcome) => {
      const bench = await start()
      const sent = ['1:a', '1:b'].map((value) => watched(bench.producer.send(topic, value)))
      await bench.run()
      bench.driver.last.fail(outcome)
      for (const error of await Promise.all(sent)) {
        expect(error).toBeInstanceOf(SendError)
        expect(error).toMatchObject({ code: 'broken', outcome, retriable: outcome === 'not-stored', partition: 1 })
      }
      expect(bench.metrics.labelled.get(`tidemark_producer_records_total t ${outcome}`)).toBe(2)
    },
  )

  test('a batch that the topic finds too large goes in halves, in order, until only a record that is too large alone fails', async () => {
    const bench = await start()
    const values = ['1:a', '1:b', '1:huge', '1:d']
    const sent = values.map((value) => watched(bench.producer.send(topic, value)))
    await bench.run()
    let offset = 0
    for (let step = 0; step < 10; step += 1) {
      const { values: given, fail, store } = bench.driver.last
      if (given.includes('1:huge')) fail('not-stored', 'message-too-large')
      else store((offset += given.length) - given.length)
      await bench.run()
    }
    const [a, b, huge, d] = await Promise.all(sent)
    expect([a, b, d]).toMatchObject([{ offset: 0 }, { offset: 1 }, { offset: 2 }])
    expect(huge).toMatchObject({ code: 'message-too-large', outcome: 'not-stored' })
    expect(bench.producer.facts().bufferedBytes).toBe(0)
  })

  test('a batch in doubt is not split, whatever the code', async () => {
    const bench = await start()
    const sent = ['1:a', '1:b'].map((value) => watched(bench.producer.send(topic, value)))
    await bench.run()
    bench.driver.last.fail('unknown', 'message-too-large')
    expect(await Promise.all(sent)).toMatchObject([{ outcome: 'unknown' }, { outcome: 'unknown' }])
    expect(bench.driver.handedOver).toHaveLength(1)
  })
})

describe('the caller of a send that fails', () => {
  const framesOf = (error: unknown) => (error as Error).stack?.split('\n    at ').slice(1).join() ?? ''

  test('stands in the stack of its error, though it is told much later; of several in one millisecond the first', async () => {
    const bench = await start()
    function placeOrder() {
      return watched(bench.producer.send(topic, '1:a'))
    }
    function shipOrder() {
      return bench.producer.sendMany(topic, ['1:b']).catch((error: unknown) => error)
    }
    await bench.clock.advance(1)
    const sent = [placeOrder(), placeOrder()]
    await bench.clock.advance(1)
    const many = shipOrder()
    for (let round = 0; round < 2; round += 1) {
      await bench.run()
      for (const batch of bench.driver.handedOver) batch.fail('not-stored')
    }
    const [first, second] = (await Promise.all(sent)) as [SendError, SendError]
    expect(framesOf(first)).toMatch(/placeOrder/)
    expect(first.stack).toMatch(/^SendError: broken/)
    expect(framesOf(second)).not.toMatch(/placeOrder/)
    expect(second).toEqual(first)
    expect(framesOf(await many)).toMatch(/shipOrder/)
  })
})

describe('order and batches', () => {
  test('concurrent sends are handed over in the order of the calls, one batch of a partition at a time', async () => {
    const bench = await start()
    const expected: string[] = []
    for (let index = 0; index < 50; index += 1) {
      expected.push(`1:${index}`)
      void bench.producer.send(topic, `1:${index}`)
      if (index % 7 === 0) await bench.run()
    }
    await bench.run()
    expect(bench.driver.handedOver).toHaveLength(1)
    for (let step = 0; step < 5; step += 1) {
      bench.driver.last.store(step * 100)
      await bench.run()
    }
    expect(bench.driver.valuesOf(1)).toEqual(expected)
  })

  test('while a batch is out the next one grows, so that it takes two batches for any number of sends', async () => {
    const bench = await start()
    void bench.producer.send(topic, '1:first')
    await bench.run()
    for (let index = 0; index < 100; index += 1) {
      void bench.producer.send(topic, `1:${index}`)
      await bench.run()
    }
    bench.driver.last.store(0)
    await bench.run()
    expect(bench.driver.handedOver.map(({ values }) => values.length)).toEqual([1, 100])
  })

  test('a partition whose batch is out does not hold up another', async () => {
    const bench = await start()
    void bench.producer.send(topic, '1:stuck')
    await bench.run()
    const sent = bench.producer.send(topic, '2:free')
    await bench.run()
    expect(bench.driver.last.batch.partition).toBe(2)
    bench.driver.last.store(9)
    expect(await sent).toMatchObject({ offset: 9 })
  })

  test('a batch is closed at batchBytes', async () => {
    const bench = await start({ batchBytes: 280 })
    for (let index = 0; index < 6; index += 1) void bench.producer.send(topic, `1:${'x'.repeat(50)}`)
    await bench.run()
    expect(bench.driver.last.batch.sizeBytes).toBeLessThanOrEqual(280)
    expect(bench.driver.last.values).toHaveLength(2)
  })

  test('records linger for company, at most lingerMs', async () => {
    const bench = await start({ lingerMs: 20 })
    const at = bench.clock.now()
    void bench.producer.send(topic, '1:a')
    await bench.run(10)
    void bench.producer.send(topic, '1:b')
    void bench.producer.send(topic, '2:c')
    await bench.run(9)
    expect(bench.driver.handedOver).toHaveLength(0)
    await bench.run(30)
    expect(bench.driver.handedOver.map(({ values, at: handedAt }) => [handedAt - at, ...values])).toEqual([
      [20, '1:a', '1:b'],
      [30, '2:c'],
    ])
  })

  test('a full batch does not linger', async () => {
    const bench = await start({ lingerMs: 1_000, batchBytes: 280 })
    for (let index = 0; index < 3; index += 1) void bench.producer.send(topic, `1:${'x'.repeat(50)}`)
    await bench.run()
    expect(bench.driver.handedOver).toHaveLength(1)
  })

  test("a batch's deadline counts from the send of its oldest record", async () => {
    const bench = await start({ deliveryTimeoutMs: 1_000 })
    void bench.producer.send(topic, '1:first')
    await bench.run()
    const at = bench.clock.now()
    void bench.producer.send(topic, '1:second')
    await bench.run(90)
    void bench.producer.send(topic, '1:third')
    bench.driver.last.store(0)
    await bench.run()
    expect(bench.driver.last.values).toEqual(['1:second', '1:third'])
    expect(bench.driver.last.deadline).toBe(at + 1_000)
  })

  test('a record that waits in its queue past its deadline is not stored, and was never handed over', async () => {
    const bench = await start({ deliveryTimeoutMs: 1_000 })
    void bench.producer.send(topic, '1:stuck')
    await bench.run()
    const sent = watched(bench.producer.send(topic, '1:late'))
    await bench.run(1_000)
    bench.driver.last.store(0)
    await bench.run()
    expect(await sent).toMatchObject({ code: 'delivery-timeout', outcome: 'not-stored', partition: 1 })
    expect(bench.driver.valuesOf(1)).toEqual(['1:stuck'])
  })
})

describe('bad input', () => {
  const cases: readonly [string, (bench: Bench) => Promise<Receipt>, string, string][] = [
    [
      'a partition out of range',
      ({ producer }) => producer.send(topic, 'x', { partition: 3 }),
      'invalid-partition',
      '0 to 2',
    ],
    [
      'a negative partition',
      ({ producer }) => producer.send(topic, 'x', { partition: -1 }),
      'invalid-partition',
      '0 to 2',
    ],
    [
      'a partition that is no integer',
      ({ producer }) => producer.send(topic, 'x', { partition: 0.5 }),
      'invalid-partition',
      '0.5',
    ],
    [
      'NaN for a partition',
      ({ producer }) => producer.send(topic, 'x', { partition: NaN }),
      'invalid-partition',
      'NaN',
    ],
    ['a partitioner out of range', ({ producer }) => producer.send(topic, '9:x'), 'invalid-partition', 'by-prefix'],
    ['a partitioner that gives NaN', ({ producer }) => producer.send(topic, 'x'), 'invalid-partition', 'NaN'],
    [
      'a negative timestamp',
      ({ producer }) => producer.send(topic, '1:x', { timestamp: -1 }),
      'invalid-timestamp',
      '-1',
    ],
    [
      'a fractional timestamp',
      ({ producer }) => producer.send(topic, '1:x', { timestamp: 1.5 }),
      'invalid-timestamp',
      '1.5',
    ],
    [
      'a timestamp beyond what can be written',
      ({ producer }) => producer.send(topic, '1:x', { timestamp: 2 ** 51 + 1 }),
      'invalid-timestamp',
      '2251799813685249',
    ],
    [
      'options that are none',
      ({ producer }) => producer.send(topic, '1:x', null as never),
      'invalid-options',
      'give an object',
    ],
    [
      'an option that is none',
      ({ producer }) => producer.send(topic, '1:x', { partion: 1 } as never),
      'invalid-options',
      'partion is not an option; did you mean partition?',
    ],
    ['a key of NaN', ({ producer }) => producer.send(topic, '1:x', { key: NaN }), 'invalid-key', 'NaN'],
    [
      'a key of half a surrogate pair',
      ({ producer }) => producer.send(topic, '1:x', { key: '\ud800' }),
      'invalid-key',
      'surrogate',
    ],
    [
      'a header of half a surrogate pair',
      ({ producer }) => producer.send(topic, '1:x', { headers: { a: '\ud800' } }),
      'invalid-headers',
      'surrogate',
    ],
    [
      'an id of half a surrogate pair',
      ({ producer }) => producer.send(topic, '1:x', { id: '\ud800' }),
      'invalid-id',
      'Unicode',
    ],
    [
      'a serde that answers with a promise',
      ({ producer }) =>
        producer.send(
          { ...topic, value: { ...topic.value, encode: () => Promise.reject(new Error('late')) as never } },
          'x',
        ),
      'invalid-value',
      'before the send',
    ],
    [
      'a partitioner that answers with a promise',
      ({ producer }) =>
        producer.send(
          { ...topic, partitioner: { name: 'late', create: () => () => Promise.reject(new Error('late')) as never } },
          'x',
        ),
      'invalid-partition',
      'a promise',
    ],
    ['an empty id', ({ producer }) => producer.send(topic, '1:x', { id: '' }), 'invalid-id', 'non-empty'],
    [
      'headers that are none',
      ({ producer }) => producer.send(topic, '1:x', { headers: 5 as never }),
      'invalid-headers',
      'header',
    ],
    ['a value the serde refuses', ({ producer }) => producer.send(topic, 5 as never), 'invalid-value', 'TypeError'],
    [
      'a serde that makes no Buffer',
      ({ producer }) => producer.send({ ...topic, value: { ...topic.value, encode: () => 'x' as never } }, 'x'),
      'invalid-value',
      'Buffer',
    ],
    [
      'a key function that throws',
      ({ producer }) =>
        producer.send(
          {
            ...topic,
            keyOf: () => {
              throw new RangeError('no')
            },
          },
          'x',
        ),
      'invalid-key',
      'RangeError',
    ],
    ['a topic that is only a name', ({ producer }) => producer.send('t' as never, 'x'), 'invalid-topic', 'defineTopic'],
    [
      'a record over maxRequestBytes',
      ({ producer }) => producer.send(topic, '1:'.padEnd(2_000_000)),
      'record-too-large',
      'maxRequestBytes 1048576',
    ],
  ]

  test.each(cases)('%s is a rejected promise, not stored, and says what to do', async (_, act, code, hint) => {
    const bench = await start()
    const error = await watched(act(bench))
    expect(error).toBeInstanceOf(SendError)
    expect(error).toMatchObject({ code, outcome: 'not-stored', message: expect.stringContaining(hint) as string })
    await bench.run()
    expect(bench.driver.handedOver).toHaveLength(0)
    expect(bench.producer.facts().bufferedBytes).toBe(0)
  })

  test('a record that cannot be sent does not hold up the next one', async () => {
    const bench = await start()
    const bad = watched(bench.producer.send(topic, '9:x'))
    const good = bench.producer.send(topic, '1:x')
    await bench.run()
    bench.driver.last.store(0)
    expect(await good).toMatchObject({ offset: 0 })
    expect(await bad).toMatchObject({ code: 'invalid-partition' })
  })
})

describe('what a record carries', () => {
  test.each([
    [2 ** 70, '1180591620717411303424'],
    [2n ** 70n, '1180591620717411303424'],
    [1e21, '1000000000000000000000'],
    [new Uint8Array([65]), 'A'],
    ['ä', 'ä'],
  ])('the same key bytes whether the topic gives the key or the send: %s', async (key, written) => {
    const bench = await start()
    const keyed = defineTopic({ name: 't', value: topic.value, key: () => key, partitioner: topic.partitioner })
    void bench.producer.send(keyed, '1:x')
    void bench.producer.send(topic, '1:y', { key })
    await bench.run()
    const keys = bench.driver.handedOver.flatMap(({ batch }) =>
      batch.records.decode().map((one) => one.key?.toString()),
    )
    expect(keys).toEqual([written, written])
  })

  test('key, headers, id and timestamp go into the record as bytes', async () => {
    const bench = await start()
    void bench.producer.send(topic, '1:x', {
      key: 12,
      headers: [
        ['a', 'x'],
        ['a', null],
      ],
      id: 'event-1',
      timestamp: 9,
    })
    await bench.run()
    expect(bench.driver.last.batch.records.decode()).toMatchObject([
      {
        key: Buffer.from('12'),
        value: Buffer.from('1:x'),
        headers: [
          ['a', Buffer.from('x')],
          ['a', null],
          ['td-id', Buffer.from('event-1')],
        ],
        timestamp: 9,
      },
    ])
  })

  test('an ordinary send carries no header, and the time of the call', async () => {
    const bench = await start()
    const at = bench.clock.now()
    void bench.producer.send(topic, '1:x')
    await bench.run()
    expect(bench.driver.last.batch.records.decode()).toMatchObject([
      { key: null, value: Buffer.from('1:x'), headers: [], timestamp: at },
    ])
  })

  test('the partition is chosen once and kept', async () => {
    const bench = await start()
    let asked = 0
    const partitioner = { name: 'counting', create: () => () => (asked += 1) % 3 }
    const counting = { ...topic, partitioner }
    for (let index = 0; index < 4; index += 1) void bench.producer.send(counting, 'x')
    await bench.run()
    expect(asked).toBe(4)
    expect(bench.driver.handedOver.map(({ batch }) => [batch.partition, batch.records.count])).toEqual([
      [1, 2],
      [2, 1],
      [0, 1],
    ])
  })
})

describe('topics that are not loaded', () => {
  test('records wait in the order of the calls, and the topic is asked for once', async () => {
    const bench = startUnloaded()
    let loaded!: () => void
    bench.driver.load = () => new Promise((resolve) => (loaded = resolve))
    for (let index = 0; index < 5; index += 1) void bench.producer.send(topic, `1:${index}`)
    await bench.run(1_000)
    expect(bench.driver.handedOver).toHaveLength(0)
    loaded()
    for (let index = 5; index < 9; index += 1) void bench.producer.send(topic, `1:${index}`)
    await bench.run()
    expect(bench.driver.loads).toBe(1)
    expect(bench.driver.valuesOf(1)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8].map((index) => `1:${index}`))
  })

  test('a topic that cannot be loaded fails its records, not stored, and is asked for again by the next send', async () => {
    const bench = startUnloaded()
    bench.driver.load = () => Promise.reject(new Error('no such luck'))
    const sent = watched(bench.producer.send(topic, '1:a'))
    await bench.run()
    expect(await sent).toMatchObject({ code: 'metadata-failed', outcome: 'not-stored', topic: 't' })
    expect(bench.producer.facts().bufferedBytes).toBe(0)
    bench.driver.load = () => Promise.resolve()
    void bench.producer.send(topic, '1:b')
    await bench.run()
    expect(bench.driver.valuesOf(1)).toEqual(['1:b'])
  })

  test('a partition out of range is found out once the topic is loaded', async () => {
    const bench = startUnloaded()
    const sent = watched(bench.producer.send(topic, 'x', { partition: 7 }))
    await bench.run()
    expect(await sent).toMatchObject({ code: 'invalid-partition', outcome: 'not-stored' })
  })
})

describe('a full buffer', () => {
  const small = { bufferBytes: 2_000, maxRequestBytes: 1_024, maxBlockMs: 500 }

  test('sends wait in line and go in the order of the calls', async () => {
    const bench = await start(small)
    for (let index = 0; index < 6; index += 1) void bench.producer.send(topic, `1:${index}`)
    expect(bench.producer.facts().waitingSends).toBe(3)
    for (let step = 0; step < 4; step += 1) {
      await bench.run()
      bench.driver.last.store(step)
    }
    await bench.run()
    expect(bench.driver.valuesOf(1)).toEqual([0, 1, 2, 3, 4, 5].map((index) => `1:${index}`))
  })

  test('a send that comes while others wait does not overtake them, even if it would fit', async () => {
    const bench = await start(small)
    for (const value of ['1:a', '1:b']) void bench.producer.send(topic, value)
    void bench.producer.send(topic, '1:large'.padEnd(700))
    void bench.producer.send(topic, '1:small')
    expect(bench.producer.facts()).toMatchObject({ waitingSends: 2 })
    await bench.run()
    bench.driver.last.store(0)
    await bench.run()
    bench.driver.last.store(2)
    await bench.run()
    expect(bench.driver.valuesOf(1).map((value) => value.trim())).toEqual(['1:a', '1:b', '1:large', '1:small'])
  })

  test('a send that waited maxBlockMs fails buffer-full, not stored', async () => {
    const bench = await start(small)
    for (const value of ['1:a', '1:b', '1:c']) void bench.producer.send(topic, value)
    const at = bench.clock.now()
    const sent = watched(bench.producer.send(topic, '1:d'))
    expect(await ended(bench, sent)).toMatchObject({ code: 'buffer-full', outcome: 'not-stored' })
    expect(bench.clock.now() - at).toBe(500)
    expect(bench.driver.valuesOf(1)).not.toContain('1:d')
  })

  test('a caller that never waits is refused when as much again stands in line, so memory is bounded', async () => {
    const bench = await start(small)
    const sent = Array.from({ length: 20 }, (_, index) => watched(bench.producer.send(topic, `1:${index}`)))
    const error = await (sent.at(-1) as Promise<SendError>)
    expect(error).toMatchObject({ code: 'buffer-full', outcome: 'not-stored' })
    expect(bench.producer.facts()).toMatchObject({ waitingSends: 3 })
    expect(bench.producer.facts().bufferedBytes).toBeLessThanOrEqual(2_000)
  })

  test('sendMany of more than the buffer holds waits at its place and stores all, in order', async () => {
    const bench = await start(small)
    const values = Array.from({ length: 30 }, (_, index) => `1:${index}`)
    const many = bench.producer.sendMany(topic, values)
    void bench.producer.send(topic, '1:after')
    let offset = 0
    for (let step = 0; step < 40; step += 1) {
      await bench.run()
      const { values: given, store } = bench.driver.last
      store(offset)
      offset += given.length
    }
    expect((await many).map((receipt) => receipt.partition)).toEqual(values.map(() => 1))
    expect(bench.driver.valuesOf(1)).toEqual([...values, '1:after'])
    expect(bench.producer.facts().bufferedBytes).toBe(0)
  })
})

describe('sendMany', () => {
  test('gives one receipt for each value, in their order, over partitions', async () => {
    const bench = await start()
    const many = bench.producer.sendMany(topic, ['2:a', '1:b', '2:c'])
    await bench.run()
    for (const { batch, store } of bench.driver.handedOver) store(batch.partition * 10)
    const receipts = await many
    expect(receipts.map(({ partition, offset }) => [partition, offset])).toEqual([
      [2, 20],
      [1, 10],
      [2, 21],
    ])
  })

  test('of nothing resolves to nothing', async () => {
    const bench = await start()
    expect(await bench.producer.sendMany(topic, [])).toEqual([])
  })

  test('rejects with the end of every record, so that what was stored is not lost; one unknown makes it unknown', async () => {
    const bench = await start()
    const many = bench.producer.sendMany(topic, ['1:a', '9:b', '2:c']).catch((error: unknown) => error)
    await bench.run()
    bench.driver.handedOver[0]?.store(5)
    bench.driver.handedOver[1]?.fail('unknown')
    const error = (await many) as SendManyError
    expect(error).toBeInstanceOf(SendManyError)
    expect(error).toBeInstanceOf(SendError)
    expect(error.outcome).toBe('unknown')
    expect(error.results).toMatchObject([
      { offset: 5 },
      { code: 'invalid-partition', outcome: 'not-stored' },
      { outcome: 'unknown' },
    ])
    expect(error.message).toContain('of 3 records 1 were stored, 1 not stored, 1 unknown')
  })

  test('sends what the array held when it was called, also when the caller empties it while the rest waits', async () => {
    const bench = await start({ bufferBytes: 1_200, maxRequestBytes: 1_024 })
    const values = Array.from({ length: 10 }, (_, index) => `1:${index}`)
    const many = bench.producer.sendMany(topic, values)
    const all = [...values]
    values.length = 0
    for (let step = 0; step < 12; step += 1) {
      await bench.run()
      bench.driver.last.store(step)
    }
    expect(await many).toHaveLength(10)
    expect(bench.driver.valuesOf(1)).toEqual(all)
  })

  test.each([undefined, null, 'text', new Set(['1:a']), { length: 1 }])('of %s is refused at once', async (values) => {
    const bench = await start()
    await expect(bench.producer.sendMany(topic, values as never)).rejects.toMatchObject({
      code: 'invalid-values',
      outcome: 'not-stored',
      message: expect.stringMatching(/give an array/) as string,
    })
  })

  test.each([
    [null, 'options is null; give an object'],
    [5, 'options is 5; give an object'],
    [['1:b'], 'options is a list of 1; give an object'],
    [{ header: {} }, 'header is not an option; did you mean headers?'],
    [{ id: 'x' }, 'id would be the same for all; send each record'],
  ])('with the options %j is refused at once', async (options, what) => {
    const bench = await start()
    for (const values of [[], ['1:a']]) {
      await expect(bench.producer.sendMany(topic, values, options as never)).rejects.toMatchObject({
        code: 'invalid-options',
        outcome: 'not-stored',
        message: expect.stringContaining(what) as string,
      })
    }
  })

  test('is not stored as a whole when none of its failures is in doubt', async () => {
    const bench = await start()
    const many = bench.producer.sendMany(topic, ['8:a', '9:b'])
    await expect(many).rejects.toMatchObject({ outcome: 'not-stored', code: 'invalid-partition' })
  })
})

describe('flush', () => {
  test('ends lingering, and resolves when everything sent before it has its outcome', async () => {
    const bench = await start({ lingerMs: 60_000 })
    const sent = [bench.producer.send(topic, '1:a'), watched(bench.producer.send(topic, '2:b'))]
    let flushed = false
    void bench.producer.flush().then(() => (flushed = true))
    await bench.run()
    void bench.producer.send(topic, '0:later')
    await bench.run()
    expect(bench.driver.handedOver.map(({ values }) => values)).toEqual([['1:a'], ['2:b']])
    bench.driver.handedOver[0]?.store(0)
    await bench.run()
    expect(flushed).toBe(false)
    bench.driver.handedOver[1]?.fail('unknown')
    await bench.run()
    expect(flushed).toBe(true)
    expect(await Promise.all(sent)).toMatchObject([{ offset: 0 }, { outcome: 'unknown' }])
  })

  test('includes records that wait for memory and for their topic', async () => {
    const bench = startUnloaded({ bufferBytes: 1_200, maxRequestBytes: 1_024, lingerMs: 60_000 })
    bench.driver.load = () => bench.clock.sleep(100)
    for (const value of ['1:a', '1:b', '1:c', '1:d']) void bench.producer.send(topic, value)
    let flushed = false
    void bench.producer.flush().then(() => (flushed = true))
    await bench.run(100)
    for (let step = 0; step < 2; step += 1) {
      expect(flushed).toBe(false)
      bench.driver.last.store(step)
      await bench.run()
    }
    expect(flushed).toBe(true)
    expect(bench.driver.valuesOf(1)).toEqual(['1:a', '1:b', '1:c', '1:d'])
  })

  test('waits for both halves of a batch that was too large', async () => {
    const bench = await start()
    const sent = Promise.all(['1:a', '1:b'].map((value) => bench.producer.send(topic, value)))
    let flushed = false
    void bench.producer.flush().then(() => (flushed = true))
    await bench.run()
    bench.driver.last.fail('not-stored', 'message-too-large')
    await bench.run()
    bench.driver.last.store(0)
    await bench.run()
    expect(flushed).toBe(false)
    bench.driver.last.store(1)
    await bench.run()
    expect(flushed).toBe(true)
    expect((await sent).map(({ offset }) => offset)).toEqual([0, 1])
  })

  test.each([-1, Number.NaN, '5s', null])(
    'and close refuse a limit of %s instead of taking it for none left',
    async (limit) => {
      const bench = await start()
      const sent = bench.producer.send(topic, '1:a')
      const refusal = {
        name: 'ConfigError',
        message: expect.stringMatching(/timeoutMs.*milliseconds from now/) as string,
      }
      await expect(bench.producer.flush({ timeoutMs: limit as number })).rejects.toMatchObject(refusal)
      await expect(bench.producer.close({ timeoutMs: limit as number })).rejects.toMatchObject(refusal)
      await bench.run()
      bench.driver.last.store(1)
      expect(await sent).toMatchObject({ offset: 1 })
    },
  )

  test('rejects at its deadline and lets the records go on', async () => {
    const bench = await start()
    const sent = bench.producer.send(topic, '1:a')
    const flushed = bench.producer.flush({ timeoutMs: 300 })
    await expect(ended(bench, flushed)).rejects.toMatchObject({ code: 'flush-timeout' })
    bench.driver.last.store(1)
    expect(await sent).toMatchObject({ offset: 1 })
  })
})

describe('close', () => {
  test('refuses to send and to connect, waits for sends before, and says that nothing is left', async () => {
    const bench = await start({ lingerMs: 60_000 })
    const sent = bench.producer.send(topic, '1:a')
    const closed = bench.producer.close()
    await expect(bench.producer.send(topic, '1:b')).rejects.toBeInstanceOf(StateError)
    await expect(bench.producer.sendMany(topic, ['1:b'])).rejects.toBeInstanceOf(StateError)
    await expect(bench.producer.connect()).rejects.toBeInstanceOf(StateError)
    await bench.run()
    bench.driver.last.store(3)
    expect(await ended(bench, closed)).toEqual({ unsent: 0, unknown: 0 })
    expect(await sent).toMatchObject({ offset: 3 })
    expect(bench.driver.closed).toBe(true)
    expect(bench.producer.facts().state).toBe('closed')
    expect(bench.clock.pendingTimers).toBe(0)
  })

  test('at its deadline ends what is left: unknown what is out, not stored what never left', async () => {
    const bench = await start({ bufferBytes: 2_000, maxRequestBytes: 1_024 })
    const out = watched(bench.producer.send(topic, '1:out'))
    await bench.run()
    const queued = watched(bench.producer.send(topic, '1:queued'))
    const other = watched(bench.producer.send(topic, '1:other'))
    const inLine = watched(bench.producer.send(topic, '1:in line'))
    const summary = await ended(bench, bench.producer.close({ timeoutMs: 200 }))
    expect(await out).toMatchObject({ outcome: 'unknown' })
    for (const error of [await queued, await other, await inLine]) {
      expect(error).toMatchObject({ code: 'closed', outcome: 'not-stored' })
    }
    expect(summary).toEqual({ unsent: 3, unknown: 1 })
    expect(bench.producer.facts().bufferedBytes).toBe(0)
    expect(bench.clock.pendingTimers).toBe(0)
  })

  test('ends records that wait for their topic', async () => {
    const bench = startUnloaded()
    bench.driver.load = () => new Promise(() => undefined)
    const sent = watched(bench.producer.send(topic, '1:a'))
    const summary = await ended(bench, bench.producer.close({ timeoutMs: 10 }))
    expect(await sent).toMatchObject({ code: 'closed', outcome: 'not-stored' })
    expect(summary).toEqual({ unsent: 1, unknown: 0 })
  })

  test('called twice is one close, and leaving an await using block closes', async () => {
    const bench = await start()
    expect(bench.producer.close()).toBe(bench.producer.close())
    await ended(bench, bench.producer[Symbol.asyncDispose]())
    expect(bench.driver.closed).toBe(true)
  })

  test.each(['whose close hangs', 'that does not end its batches', 'whose close fails'])(
    'ends in time with a driver %s, and what that had is unknown',
    async (how) => {
      const bench = await start({ closeTimeoutMs: 100 })
      const sent = bench.producer.send(topic, '0:x').catch((error: unknown) => error)
      await bench.run()
      bench.driver.close = () => {
        if (how === 'whose close hangs') return new Promise(() => undefined)
        return how === 'whose close fails' ? Promise.reject(new Error('no')) : Promise.resolve()
      }
      const closed = bench.producer.close().catch((error: Error) => error.message)
      expect(await ended(bench, closed)).toEqual(how === 'whose close fails' ? 'no' : { unsent: 0, unknown: 1 })
      expect(await sent).toMatchObject({ code: 'closed', outcome: 'unknown' })
      expect(bench.producer.facts()).toMatchObject({ state: 'closed', batchesOut: 0, bufferedBytes: 0 })
      bench.driver.last.store(1)
      await bench.run()
      expect(bench.producer.facts()).toMatchObject({ batchesOut: 0, bufferedBytes: 0 })
    },
  )
})
