import { describe, expect, it } from 'vitest'
import type { FailedRecord } from '../../../src/consumer/handling/failed-record.js'
import { deadLetterPartition, deadLetterRecord, deadLetterTo } from '../../../src/dead-letter/dead-letter.js'
import { SendError } from '../../../src/errors.js'
import { messageHeaders, retryHeaders, tdHeader } from '../../../src/message/headers.js'
import type { Header, OutgoingRecord } from '../../../src/message/record.js'

const header = (name: string, text: string): Header => [name, Buffer.from(text)]

function failed(headers: readonly Header[] = [], error: unknown = new TypeError('x is undefined')): FailedRecord {
  return {
    topic: 'orders',
    partition: 5,
    record: { offset: 99, timestamp: Date.UTC(2026, 0, 2), key: Buffer.from([0xff]), value: Buffer.from('v'), headers },
    owned: {} as FailedRecord['owned'],
    group: 'billing',
    reason: 'exhausted',
    error,
    attempt: 4,
    firstFailedAt: Date.UTC(2026, 0, 3),
    lastFailedAt: Date.UTC(2026, 0, 4),
  }
}

const plain = { springHeaders: false }

const textOf = (record: OutgoingRecord) => (name: string) => messageHeaders(record.headers).get(name)

describe('a dead letter', () => {
  it('has the original key and value, untouched, and the time of its last failure, from which retention counts', () => {
    const source = failed()
    const letter = deadLetterRecord(source, plain)
    expect(letter.key).toBe(source.record.key)
    expect(letter.value).toBe(source.record.value)
    expect(letter.timestamp).toBe(source.lastFailedAt)
  })

  it('tells where it came from, who failed, why, how often and when', () => {
    const text = textOf(deadLetterRecord(failed(), plain))
    const told = {
      'td-origin-topic': 'orders',
      'td-origin-partition': '5',
      'td-origin-offset': '99',
      'td-origin-timestamp': '2026-01-02T00:00:00.000Z',
      'td-group': 'billing',
      'td-reason': 'exhausted',
      'td-attempt': '4',
      'td-error-class': 'TypeError',
      'td-error-message': 'x is undefined',
      'td-first-failed-at': '2026-01-03T00:00:00.000Z',
      'td-last-failed-at': '2026-01-04T00:00:00.000Z',
    }
    for (const [name, value] of Object.entries(told)) expect([name, text(name)]).toEqual([name, value])
    expect(text('td-error-stack')).toContain('dead-letter.test')
  })

  it('has every header that tdHeader lists, but the id that the caller gives, and what a pointer, a redrive, a retry or a trace has', () => {
    const written = deadLetterRecord(failed(), plain).headers.map(([name]) => name)
    const { id, left, leftAt, hop, redriveId, originTrace } = tdHeader
    const others = [id, left, leftAt, hop, redriveId, originTrace, ...retryHeaders]
    expect([...written, ...others].sort()).toEqual(Object.values(tdHeader).sort())
  })

  it('keeps foreign headers in order with their repeats and nulls, and replaces ours instead of adding to them', () => {
    const own = [header('trace', 'a'), header('td-reason', 'timeout'), ['empty', null], header('trace', 'b')] as const
    const { headers } = deadLetterRecord(failed(own), plain)
    expect(headers.slice(0, 3).map(([name, value]) => [name, value?.toString() ?? null])).toEqual([
      ['trace', 'a'],
      ['empty', null],
      ['trace', 'b'],
    ])
    expect(headers.filter(([name]) => name === 'td-reason')).toHaveLength(1)
  })

  it('keeps what was written once: first origin, first failure, id and hops', () => {
    const own = [
      header('td-origin-topic', 'orders'),
      header('td-origin-partition', '1'),
      header('td-origin-offset', '2'),
      header('td-origin-timestamp', 'then'),
      header('td-first-failed-at', 'earlier'),
      header('td-id', 'i'),
      header('td-hop', '2'),
    ]
    const letter = deadLetterRecord(failed(own), plain)
    const text = textOf(letter)
    for (const [name, value] of own) {
      expect(text(name)).toBe(value?.toString())
      expect(letter.headers.filter(([other]) => other === name)).toHaveLength(1)
    }
  })

  it.each([
    ['an ordinary record', [], 'orders', '99', null],
    ['one that is read from a dead-letter topic', [header('td-reason', 'timeout')], 'alerts', '7', 'earlier'],
  ])('tells of itself, where headers of another record were handed on with %s', (_, own, topic, offset, first) => {
    const handedOn = [
      header('trace', 'a'),
      header('td-id', 'i'),
      header('td-origin-topic', 'alerts'),
      header('td-origin-partition', '1'),
      header('td-origin-offset', '7'),
      header('td-origin-timestamp', '2025-01-01T00:00:00.000Z'),
      header('td-first-failed-at', 'earlier'),
      header('td-hop', '2'),
      header('td-redrive-id', 'r'),
    ]
    const text = textOf(deadLetterRecord(failed([...handedOn, ...own]), plain))
    expect([text('td-origin-topic'), text('td-origin-offset')]).toEqual([topic, offset])
    expect(text('td-first-failed-at')).toBe(first ?? '2026-01-03T00:00:00.000Z')
    expect([text('td-hop'), text('td-redrive-id')]).toEqual(first === null ? [undefined, undefined] : ['2', 'r'])
    expect([text('trace'), text('td-id')]).toEqual(['a', 'i'])
  })

  it('cuts a long stack to 4 KiB without breaking a character', () => {
    const error = new Error('no')
    error.stack = 'x' + 'ü'.repeat(5_000)
    const bytes = messageHeaders(deadLetterRecord(failed([], error), plain).headers).bytes('td-error-stack') as Buffer
    expect(bytes.length).toBeLessThanOrEqual(4096)
    expect(bytes.length).toBeGreaterThan(4000)
    expect(bytes.toString()).not.toContain('\ufffd')
  })

  it('tells the causes and the parts of the error, each once', () => {
    const inner = new Error('no route to host')
    const error = new Error('could not save', {
      cause: new AggregateError([inner, new TypeError('bad')], 'all failed'),
    })
    inner.cause = error
    const stack = textOf(deadLetterRecord(failed([], error), plain))('td-error-stack') ?? ''
    const firstLines = stack.split('\n').filter((line) => !line.startsWith('    at'))
    expect(firstLines).toEqual([
      'Error: could not save',
      'Caused by: AggregateError: all failed',
      'One of: Error: no route to host',
      'One of: TypeError: bad',
    ])
  })

  it('tells what was thrown when it is no error, and calls nothing of it', () => {
    const told = (thrown: unknown) => textOf(deadLetterRecord(failed([], thrown), plain))('td-error-message')
    expect(told('a string')).toBe("'a string'")
    expect(told({ code: 17, why: { deep: true } })).toBe('{ code: 17, why: { deep: true } }')
    const trap = {
      get secret() {
        throw new Error('called')
      },
      [Symbol.for('nodejs.util.inspect.custom')]: () => {
        throw new Error('called')
      },
    }
    expect(told(trap)).toContain('[Getter]')
    expect(told(null)).toBe('null')
  })

  it("has the headers of Spring beside ours when asked, numbers big-endian, as Spring's own recoverer writes them", () => {
    const error = new Error('could not save', { cause: new TypeError('bad') })
    const { headers } = deadLetterRecord(failed([], error), { springHeaders: true })
    const spring = new Map(headers.filter(([name]) => name.startsWith('kafka_dlt-')))
    expect(spring.get('kafka_dlt-original-partition')?.readInt32BE()).toBe(5)
    expect(spring.get('kafka_dlt-original-offset')?.readBigInt64BE()).toBe(99n)
    expect(spring.get('kafka_dlt-original-timestamp')?.readBigInt64BE()).toBe(BigInt(Date.UTC(2026, 0, 2)))
    const texts = [...spring].filter(([name]) => !/partition|offset|timestamp$|stacktrace/.test(name))
    expect(texts.map(([name, value]) => [name, value?.toString()])).toEqual([
      ['kafka_dlt-original-topic', 'orders'],
      ['kafka_dlt-original-timestamp-type', 'CreateTime'],
      ['kafka_dlt-original-consumer-group', 'billing'],
      ['kafka_dlt-exception-fqcn', 'Error'],
      ['kafka_dlt-exception-cause-fqcn', 'TypeError'],
      ['kafka_dlt-exception-message', 'could not save'],
    ])
  })

  it('can be made of anything that was thrown and of times no calendar knows', () => {
    const odd = failed([], 'a string')
    const text = textOf(deadLetterRecord({ ...odd, record: { ...odd.record, timestamp: 9e15 } }, plain))
    expect(text('td-error-class')).toBe('string')
    expect(text('td-origin-timestamp')).toBe('9000000000000000')
  })
})

describe('the dead-letter route', () => {
  const { signal } = new AbortController()

  it('hands the record over with its target and origin partition, and ends as the write does', async () => {
    const published: unknown[] = []
    const route = deadLetterTo({
      target: 'orders.dlq',
      sources: ['orders'],
      publish: (record, partition) => {
        published.push([record.value?.toString(), partition])
        return Promise.reject(new Error('no broker'))
      },
    })
    await expect(route(failed(), signal)).rejects.toThrow('no broker')
    expect(published).toEqual([['v', 5]])
  })

  /** Takes letters below a size, counted as the topic would. */
  function narrowRoute(maxHeaderBytes: number, code = 'message-too-large') {
    const published: (readonly string[])[] = []
    const route = deadLetterTo({
      target: 'orders.dlq',
      sources: ['orders'],
      publish: (record) => {
        published.push(record.headers.map(([name]) => name))
        const bytes = record.headers.reduce((sum, [name, value]) => sum + name.length + (value?.length ?? 0), 0)
        const error = new SendError(code, 'not-stored', 'MESSAGE_TOO_LARGE while storing')
        return bytes > maxHeaderBytes ? Promise.reject(error) : Promise.resolve()
      },
    })
    return { route, published }
  }
  const longWinded = failed([header('trace', 'a')], new Error('m'.repeat(2_000)))

  it.each(['message-too-large', 'record-too-large', 'record-list-too-large'])(
    'sends a letter that is too large (%s) again without message and stack, and with everything else',
    async (code) => {
      const { route, published } = narrowRoute(1_000, code)
      await route(longWinded, signal)
      expect(published).toHaveLength(2)
      const [whole, trimmed] = published as [readonly string[], readonly string[]]
      expect(whole).toEqual(expect.arrayContaining(['trace', 'td-error-message', 'td-error-stack']))
      expect(trimmed).toEqual(whole.filter((name) => !['td-error-message', 'td-error-stack'].includes(name)))
    },
  )

  it('sends one that is too large all the same as a pointer: the key, where it came from and why, and that its value is left there', async () => {
    const published: OutgoingRecord[] = []
    const publish = (record: OutgoingRecord) => {
      published.push(record)
      return published.length < 3
        ? Promise.reject(new SendError('message-too-large', 'not-stored', 'no'))
        : Promise.resolve()
    }
    const route = deadLetterTo({ target: 'dlq', sources: ['t'], publish, springHeaders: true })
    await expect(route(failed([header('trace', 'a')]), signal)).resolves.toBe('pointer')
    const pointer = published[2] as OutgoingRecord
    expect(pointer).toMatchObject({ key: Buffer.from([0xff]), value: null, timestamp: Date.UTC(2026, 0, 4) })
    const text = textOf(pointer)
    expect(text('td-origin-topic')).toBe('orders')
    expect(text('td-origin-offset')).toBe('99')
    expect(text('td-reason')).toBe('exhausted')
    expect(text('td-left')).toBe('value')
    expect(text('td-left-at')).toBeUndefined()
    expect(pointer.headers.every(([name]) => name.startsWith('td-'))).toBe(true)
  })

  it('says of a pointer to a record that had come back where that one stands, beside its origin', async () => {
    const came = [
      header('td-origin-topic', 'orders'),
      header('td-origin-partition', '5'),
      header('td-origin-offset', '7'),
    ]
    let pointer: OutgoingRecord | null = null
    const publish = (record: OutgoingRecord) => {
      if (record.value !== null) return Promise.reject(new SendError('message-too-large', 'not-stored', 'no'))
      pointer = record
      return Promise.resolve()
    }
    await deadLetterTo({ target: 'dlq', sources: ['t'], publish })(failed(came), signal)
    const text = textOf(pointer as unknown as OutgoingRecord)
    expect([text('td-origin-offset'), text('td-left-at')]).toEqual(['7', 'orders-5@99'])
  })

  it('leaves a long key at its origin with the value', async () => {
    const published: OutgoingRecord[] = []
    const source = failed()
    const route = deadLetterTo({
      target: 'dlq',
      sources: ['t'],
      publish: (record) => {
        published.push(record)
        return (record.key?.length ?? 0) > 0
          ? Promise.reject(new SendError('record-too-large', 'not-stored', 'no'))
          : Promise.resolve()
      },
    })
    await expect(route({ ...source, record: { ...source.record, key: Buffer.alloc(2_000) } }, signal)).resolves.toBe(
      'pointer',
    )
    expect(published.map(({ key }) => key?.length ?? null)).toEqual([2_000, 2_000, null])
  })

  it('ends with too-large, where and what to do, when even a pointer is too large', async () => {
    const { route, published } = narrowRoute(10)
    await expect(route(longWinded, signal)).rejects.toMatchObject({
      name: 'DeadLetterError',
      code: 'too-large',
      topic: 'orders',
      partition: 5,
      offset: 99,
      message: expect.stringMatching(/offset 99 of orders-5 .*raise max.message.bytes of orders.dlq/) as string,
      cause: { code: 'message-too-large' },
    })
    expect(published).toHaveLength(3)
  })

  it.each([
    ['invalid-record', 'refused'],
    ['invalid-timestamp', 'refused'],
    ['policy-violation', 'refused'],
    ['topic-authorization-failed', 'not-authorized'],
  ])('ends with both errors when the topic refuses the letter for good: %s', async (code, verdict) => {
    const refusal = new SendError(code, 'not-stored', 'refused')
    const failure = failed()
    const route = deadLetterTo({ target: 'dlq', sources: ['t'], publish: () => Promise.reject(refusal) })
    await expect(route(failure, signal)).rejects.toMatchObject({
      name: 'DeadLetterError',
      code: verdict,
      offset: 99,
      cause: refusal,
      failure: failure.error,
    })
  })

  it.each(['delivery-timeout', 'unknown-topic-or-partition', 'closed'])(
    'leaves what may get better as it is: %s',
    async (code) => {
      const error = new SendError(code, 'unknown', 'not yet')
      const route = deadLetterTo({ target: 'dlq', sources: ['t'], publish: () => Promise.reject(error) })
      await expect(route(failed(), signal)).rejects.toBe(error)
    },
  )

  it.each(['message-too-large', 'invalid-record', 'topic-authorization-failed'])(
    'is neither trimmed nor refused for a batch in doubt that is refused whole (%s), for whichever of its letters',
    async (code) => {
      const ends = [new SendError(code, 'unknown', 'one of them is'), null]
      const published: OutgoingRecord[] = []
      const publish = (record: OutgoingRecord) => {
        published.push(record)
        const end = ends.shift()
        return end === null ? Promise.resolve() : Promise.reject(end as SendError)
      }
      const route = deadLetterTo({ target: 'dlq', sources: ['t'], publish })
      await expect(route(longWinded, signal)).rejects.toMatchObject({ name: 'SendError', outcome: 'unknown' })
      await expect(route(longWinded, signal)).resolves.toBe('whole')
      expect(published[1]).toEqual(published[0])
      expect(published[0]?.headers.map(([name]) => name)).toContain('td-error-stack')
    },
  )

  it('refuses to send records back to a topic they come from', () => {
    expect(() =>
      deadLetterTo({ target: 'orders', sources: ['users', 'orders'], publish: () => Promise.resolve() }),
    ).toThrow(/deadLetter: orders is also a topic of this consumer.*orders\.dlq/)
  })

  it('keeps the partition, modulo what the target has', () => {
    expect([0, 5, 8, 13].map((partition) => deadLetterPartition(partition, 8))).toEqual([0, 5, 0, 5])
  })
})
