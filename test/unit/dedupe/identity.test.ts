import { describe, expect, it } from 'vitest'
import { identityOf as identityWith, type IdentityOf } from '../../../src/dedupe/identity.js'
import { memoryDedupe, memoryDedupeBy } from '../../../src/dedupe/memory-dedupe.js'
import { messageHeaders, tdHeader, textHeader } from '../../../src/message/headers.js'
import type { Message } from '../../../src/message/message.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'

const message = (fields: Partial<Message> = {}, headers: Readonly<Record<string, string>> = {}): Message => ({
  topic: 'orders',
  partition: 1,
  offset: 7,
  timestamp: 1_000,
  key: null,
  id: undefined,
  value: null,
  headers: messageHeaders(Object.entries(headers).map(([name, text]) => textHeader(name, text))),
  ...fields,
})

const bytes = { key: null, value: Buffer.from('v') }
const identityOf = (one: Message, chosen?: IdentityOf) => identityWith(one, bytes, chosen)

const origin = {
  [tdHeader.originTopic]: 'orders',
  [tdHeader.originPartition]: '1',
  [tdHeader.originOffset]: '7',
  [tdHeader.originTimestamp]: '1970-01-01T00:00:01.000Z',
}

describe('the identity of a record', () => {
  it.each([
    ['sent back to its topic', { offset: 90 }, origin],
    [
      'in a delay topic',
      { topic: 'orders.retry.billing.1m', partition: 0, offset: 3 },
      { ...origin, 'td-not-before': '1' },
    ],
    [
      'as a dead letter',
      { topic: 'orders.dead', partition: 0, offset: 3 },
      { ...origin, [tdHeader.reason]: 'timeout' },
    ],
  ])('is that of its origin when it is %s', (_, fields, headers) => {
    expect(identityOf(message(fields, headers))).toBe(identityOf(message()))
    expect(identityOf(message({ ...fields, id: 'a' }, headers))).toBe(identityOf(message({ id: 'a' })))
  })

  it('is its own when the headers of another record were handed on with it', () => {
    const made = [0, 1].map((offset) => identityOf(message({ topic: 'invoices', partition: 0, offset }, origin)))
    expect(new Set([...made, identityOf(message())]).size).toBe(3)
  })

  it.each([
    ['offset', { offset: 8 }],
    ['partition', { partition: 2 }],
    ['time', { timestamp: 1_001 }],
    ['topic', { topic: 'orders2' }],
    ['id', { id: 'at:1/7@1000' }],
  ])('is another with another %s', (_, fields) => {
    expect(identityOf(message(fields))).not.toBe(identityOf(message()))
  })

  it('is another with other bytes, and the same with an id', () => {
    const others = [
      { ...bytes, value: Buffer.from('w') },
      { ...bytes, value: null },
      { ...bytes, key: Buffer.from('k') },
    ]
    const all = [bytes, ...others].map((record) => identityWith(message(), record))
    expect(new Set(all).size).toBe(4)
    const withId = [bytes, ...others].map((record) => identityWith(message({ id: 'a' }), record))
    expect(new Set(withId).size).toBe(1)
  })

  it('is what the option says, within its topic; an answer that is no text is an error', () => {
    const byKey = ({ key }: Message) => key?.toString()
    expect(identityOf(message({ key: Buffer.from('k') }), byKey)).toBe('orders own:k')
    expect(identityOf(message(), byKey)).toBe(identityOf(message()))
    expect(() => identityOf(message(), (() => 5) as never)).toThrow('identity of dedupe is 5')
    expect(() => identityOf(message(), () => '')).toThrow('not empty')
  })
})

describe('the store in memory', () => {
  it('forgets after its time, and the oldest first when it is full', async () => {
    const clock = virtualClock()
    const store = memoryDedupeBy(clock, { keepMs: 100, maxMarks: 3 })
    void store.mark('g', ['a'])
    await clock.advance(60)
    void store.mark('g', ['a', 'b'])
    expect(store.known('g', ['a', 'b', 'c'])).toEqual(new Set(['a', 'b']))
    await clock.advance(40)
    expect(store.known('g', ['a', 'b'])).toEqual(new Set(['b']))
    void store.mark('g', ['c', 'd', 'e'])
    expect(store.known('g', ['b', 'c', 'd', 'e'])).toEqual(new Set(['c', 'd', 'e']))
    expect(store.size).toBe(3)
  })

  it('keeps scopes apart', () => {
    const store = memoryDedupe()
    void store.mark('a', ['bc'])
    expect(store.known('ab', ['c'])).toEqual(new Set())
    expect(store.known('a', ['bc'])).toEqual(new Set(['bc']))
  })

  it('refuses bounds that are none', () => {
    expect(() => memoryDedupe({ keepMs: 0 })).toThrow('keepMs')
    expect(() => memoryDedupe({ maxMarks: 1.5 })).toThrow('maxMarks')
  })
})
