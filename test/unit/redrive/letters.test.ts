import { describe, expect, it } from 'vitest'
import type { Letter, LetterSelection } from 'tidemark/redrive'
import type { OwnedPartition } from '../../../src/consumer/partition/owned-partition.js'
import { messageHeaders } from '../../../src/message/headers.js'
import type { Header } from '../../../src/message/record.js'
import { isLetterHeader } from '../../../src/redrive/letter-formats.js'
import { letterOf } from '../../../src/redrive/letter.js'
import { selected } from '../../../src/redrive/selection.js'
import { springHeaders } from '../../../src/dead-letter/spring-headers.js'
import { failedAt, headers, put, redriven, stored, textsOf, values, world } from './dead-letters.js'

const time = Date.UTC(2026, 0, 2)

function letter(pairs: readonly Header[], key: string | null = 'k', timestamp = time) {
  const message = { topic: 'dlq', partition: 3, offset: 9, timestamp, id: undefined, value: Buffer.from('v') }
  return letterOf({ ...message, key: key === null ? null : Buffer.from(key), headers: messageHeaders(pairs) })
}

const int32 = (value: number) => Buffer.from([0, 0, 0, value])
const int64 = (value: number) => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigInt64BE(BigInt(value))
  return buffer
}

const spring: readonly Header[] = [
  ...headers({ 'kafka_dlt-original-topic': 'orders' }),
  ['kafka_dlt-original-partition', int32(5)],
  ['kafka_dlt-original-offset', int64(1_234_567_890_123)],
  ['kafka_dlt-original-timestamp', int64(time)],
  ...headers({
    'kafka_dlt-original-timestamp-type': 'CreateTime',
    'kafka_dlt-original-consumer-group': 'billing',
    'kafka_dlt-exception-fqcn': 'org.springframework.kafka.listener.ListenerExecutionFailedException',
    'kafka_dlt-exception-cause-fqcn': 'java.lang.IllegalStateException',
    'kafka_dlt-exception-message': 'Listener failed',
    'kafka_dlt-exception-stacktrace': 'at Billing.java:7',
  }),
]

describe('a letter', () => {
  it('of this library tells its origin, failure, hops, and whether it is a pointer', () => {
    const told = letter(failedAt(7, { 'td-hop': '2', 'td-left': 'value' }))
    expect(told).toMatchObject({
      writer: 'tidemark',
      origin: { topic: 'orders', partition: 0, offset: 7, timestamp: time },
      reason: 'exhausted',
      errorClasses: ['TypeError'],
      errorMessage: 'x is undefined',
      group: 'billing',
      hops: 2,
      isPointer: true,
    })
  })

  it('of Spring for Apache Kafka is read from big-endian numbers', () => {
    expect(letter(spring)).toMatchObject({
      writer: 'spring',
      origin: { topic: 'orders', partition: 5, offset: 1_234_567_890_123, timestamp: time },
      reason: null,
      errorClasses: [
        'org.springframework.kafka.listener.ListenerExecutionFailedException',
        'java.lang.IllegalStateException',
      ],
      errorMessage: 'Listener failed',
      group: 'billing',
    })
  })

  it("of Spring's retry topics is read too, with the time before the first retry", () => {
    const retried: readonly Header[] = [
      ...headers({ 'kafka_original-topic': 'orders', 'kafka_exception-fqcn': 'java.io.IOException' }),
      ['kafka_original-partition', int32(1)],
      ['kafka_original-offset', int64(4)],
      ['kafka_original-timestamp', int64(time + 60_000)],
      ['retry_topic-original-timestamp', int64(time).subarray(2)],
      ['retry_topic-attempts', int32(3)],
    ]
    expect(letter(retried)).toMatchObject({
      writer: 'spring',
      origin: { topic: 'orders', partition: 1, offset: 4, timestamp: time },
      errorClasses: ['java.io.IOException'],
    })
  })

  it('that Spring made of a letter tells the first origin', () => {
    const twice: readonly Header[] = [
      ...spring,
      ...headers({ 'kafka_dlt-original-topic': 'orders.dlt' }),
      ['kafka_dlt-original-partition', int32(0)],
    ]
    expect(letter(twice).origin).toMatchObject({ topic: 'orders', partition: 5 })
  })

  it('written beside ours for tools of Spring is read as ours is', () => {
    const failed = {
      topic: 'orders',
      partition: 5,
      record: { offset: 99, timestamp: time, key: null, value: null, headers: [] },
      owned: {} as OwnedPartition,
      group: 'billing',
      reason: 'exhausted' as const,
      error: new TypeError('x'),
      attempt: 1,
      firstFailedAt: time,
      lastFailedAt: time,
    }
    expect(letter(springHeaders(failed)).origin).toEqual({ topic: 'orders', partition: 5, offset: 99, timestamp: time })
  })

  it('of Kafka Connect is read from text; it has the time of its record', () => {
    const connect = headers({
      '__connect.errors.topic': 'orders',
      '__connect.errors.partition': '2',
      '__connect.errors.offset': '17',
      '__connect.errors.connector.name': 'sink',
      '__connect.errors.task.id': '0',
      '__connect.errors.stage': 'VALUE_CONVERTER',
      '__connect.errors.exception.class.name': 'org.apache.kafka.connect.errors.DataException',
      '__connect.errors.exception.message': 'bad bytes',
    })
    expect(letter(connect, 'k', time + 5)).toMatchObject({
      writer: 'connect',
      origin: { topic: 'orders', partition: 2, offset: 17, timestamp: time + 5 },
      reason: 'VALUE_CONVERTER',
      errorClasses: ['org.apache.kafka.connect.errors.DataException'],
      group: 'sink',
    })
  })

  it('of Kafka Streams is read from text; the class stands before the colon', () => {
    const streams = headers({
      '__streams.errors.exception': 'java.lang.IllegalStateException: no: rate',
      '__streams.errors.message': 'no: rate',
      '__streams.errors.topic': 'orders',
      '__streams.errors.partition': '2',
      '__streams.errors.offset': '17',
    })
    expect(letter(streams)).toMatchObject({
      writer: 'streams',
      origin: { topic: 'orders', partition: 2, offset: 17, timestamp: time },
      errorClasses: ['java.lang.IllegalStateException'],
      errorMessage: 'no: rate',
    })
  })

  it('of a share group is read from text', () => {
    const shared = headers({
      '__dlq.errors.topic': 'orders',
      '__dlq.errors.partition': '1',
      '__dlq.errors.offset': '3',
      '__dlq.errors.group': 'workers',
      '__dlq.errors.message': 'Offset rejected by client.',
    })
    expect(letter(shared)).toMatchObject({
      writer: 'share-group',
      origin: { topic: 'orders', partition: 1, offset: 3, timestamp: null },
      reason: 'Offset rejected by client.',
      group: 'workers',
    })
  })

  it('that was redriven by us and failed elsewhere keeps its first origin, and tells of the last failure', () => {
    const again = letter([
      ...headers({ 'td-origin-topic': 'orders', 'td-origin-partition': '0', 'td-origin-offset': '7', 'td-hop': '1' }),
      ...spring,
    ])
    expect(again).toMatchObject({ writer: 'spring', origin: { offset: 7 }, hops: 1, group: 'billing' })
  })

  it('of another tool tells where its record stood, though headers of another record were handed on with it', () => {
    const connect = { '__connect.errors.topic': 'invoices', '__connect.errors.stage': 'TASK_PUT' }
    const handedOn = { 'td-origin-topic': 'orders', 'td-origin-offset': '1', 'td-hop': '3' }
    const told = letter(headers({ ...handedOn, ...connect }))
    expect(told).toMatchObject({ writer: 'connect', origin: { topic: 'invoices' }, hops: 0 })
  })

  it('whose headers are no numbers, or tell nothing, is read as far as it goes', () => {
    const bad = letter([
      ...headers({
        'td-origin-topic': 'orders',
        'td-origin-partition': '-1',
        'td-origin-offset': '9'.repeat(17),
        'td-hop': 'x',
      }),
    ])
    expect(bad).toMatchObject({ origin: { topic: 'orders', partition: null, offset: null, timestamp: null }, hops: 0 })
    const long: readonly Header[] = [
      ...headers({ 'kafka_dlt-original-topic': 'orders' }),
      ['kafka_dlt-original-offset', Buffer.alloc(9, 1)],
      ['kafka_dlt-original-partition', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ]
    expect(letter(long).origin).toMatchObject({ partition: null, offset: null })
    expect(letter(headers({ tenant: '7' }))).toMatchObject({ writer: 'unknown', origin: null, reason: null })
    expect(letter(headers({ '__connect.errors.topic': '' })).origin).toBeNull()
  })

  it('has no header of its record among those that are taken away', () => {
    for (const name of ['tenant', 'traceparent', 'kafka_messageKey', '__TypeId__', 'kafka_correlationId', 'tdx']) {
      expect([name, isLetterHeader(name)]).toEqual([name, false])
    }
    for (const name of ['td-reason', 'td-attempt', 'retry_topic-attempts', 'kafka_dlt-exception-message']) {
      expect([name, isLetterHeader(name)]).toEqual([name, true])
    }
  })

  it('of Spring goes back without what Spring would count on', async () => {
    await world(async (simulation) => {
      put(simulation.cluster, [
        {
          headers: [...headers({ __TypeId__: 'Order' }), ...spring, ['retry_topic-attempts', int32(3)]],
          timestamp: time,
        },
      ])
      await redriven(simulation)
      const [record] = stored(simulation.cluster)
      expect(Object.keys(textsOf(record as never)).sort()).toEqual([
        '__TypeId__',
        'td-hop',
        'td-origin-offset',
        'td-origin-partition',
        'td-origin-timestamp',
        'td-origin-topic',
        'td-redrive-id',
      ])
    })
  })
})

describe('a selection', () => {
  const timeout = letter(failedAt(1, { 'td-reason': 'timeout', 'td-error-class': 'HandlerError' }), 'b')
  const exhausted = letter(failedAt(2), 'a')
  const foreign = letter(spring, null)
  const all = { timeout, exhausted, foreign }
  const meant = (isMeant: (letter: Letter) => boolean) =>
    Object.entries(all).flatMap(([name, one]) => (isMeant(one) ? [name] : []))

  it.each<readonly [string, LetterSelection, readonly string[]]>([
    ['of nothing', {}, ['timeout', 'exhausted', 'foreign']],
    ['by reason', { reason: 'timeout' }, ['timeout']],
    ['by several reasons', { reason: ['timeout', 'exhausted'] }, ['timeout', 'exhausted']],
    ['by the class of an error', { error: 'TypeError' }, ['exhausted']],
    ["by the class of an error's cause", { error: 'java.lang.IllegalStateException' }, ['foreign']],
    ['by a part of a class, which is no class', { error: 'IllegalStateException' }, []],
    ['by an expression', { error: /State.*failed|x is/g }, ['timeout', 'exhausted', 'foreign']],
    ['by key', { key: 'a' }, ['exhausted']],
    ['by keys as text and bytes', { key: ['a', Buffer.from('b')] }, ['timeout', 'exhausted']],
    ['by origin', { origin: 'payments' }, []],
    [
      'by the time of the origin',
      { originated: { from: new Date(time), to: time + 1 } },
      ['timeout', 'exhausted', 'foreign'],
    ],
    ['by a time that is over', { originated: { to: time } }, []],
    ['by anything', { where: (one) => one.origin?.offset === 2 }, ['exhausted']],
    ['by all that is given', { reason: 'timeout', key: 'a' }, []],
  ])('%s', (_, selection, names) => {
    const isMeant = selected(selection)
    expect(meant(isMeant)).toEqual(names)
    expect(meant(isMeant), 'and again').toEqual(names)
  })

  it('whose function throws or answers late ends the run, and nothing is passed', async () => {
    await world(async (simulation) => {
      put(simulation.cluster, [{ headers: failedAt(0) }])
      const wrong = [
        () => {
          throw new Error('of the function')
        },
        () => Promise.resolve(true),
      ]
      for (const [index, where] of wrong.entries()) {
        const running = redriven(simulation, { select: { where: where as unknown as () => boolean } }, `run ${index}`)
        await expect(running).rejects.toMatchObject({ code: 'select-failed', offset: 0, summary: { read: 0 } })
      }
      expect(await redriven(simulation)).toMatchObject({ redriven: 1 })
    })
  })

  it('by place and time of writing reads only that, and the rest stays for another redrive', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      const ten = (partition: number) =>
        Array.from({ length: 10 }, (_, at) => ({
          value: `${partition}-${at}`,
          headers: failedAt(at),
          timestamp: 1_000 + at,
        }))
      for (const partition of [0, 1]) for (const one of ten(partition)) put(cluster, [one], { partition })
      const select = { partitions: [1], written: { from: 1_004, to: new Date(1_006) } }
      expect(await redriven(simulation, { select })).toMatchObject({ ended: 'done', redriven: 2, notSelected: 0 })
      expect(values(stored(cluster))).toEqual(['1-4', '1-5'])
      const passed = cluster.committed('redrive-1').filter(({ offset }) => offset > 0)
      expect(passed.map(({ partition }) => partition)).toEqual([1])
      // Each transaction takes two offsets.
      const offsets = { from: 2, to: 6 }
      const second = await redriven(simulation, { group: 'redrive-2', select: { offsets } }, 'second')
      expect(second).toMatchObject({ ended: 'done', redriven: 4 })
      expect([...values(stored(cluster))].sort()).toEqual(['0-1', '0-2', '1-1', '1-2', '1-4', '1-5'])
    })
  })

  it('leaves what it does not mean where it is, for a redrive of another name', async () => {
    await world(async (simulation) => {
      const { cluster } = simulation
      put(cluster, [
        { value: 'one', headers: failedAt(0) },
        { value: 'two', headers: failedAt(1, { 'td-reason': 'timeout' }) },
      ])
      const first = await redriven(simulation, { select: { reason: 'timeout' } })
      expect(first).toMatchObject({ redriven: 1, notSelected: 1 })
      const same = await redriven(simulation, { select: { reason: 'exhausted' } }, 'same name')
      expect(same).toMatchObject({ redriven: 0, read: 0 })
      const other = await redriven(simulation, { group: 'redrive-2', select: { reason: 'exhausted' } }, 'other name')
      expect(other).toMatchObject({ redriven: 1, notSelected: 1 })
      expect(values(stored(cluster))).toEqual(['two', 'one'])
    })
  })
})
