import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeHeaders, messageHeaders, tdHeader, textHeader, type HeadersInput } from '../../../src/message/headers.js'

const value = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.constant(null),
)
const pairs = fc.array(fc.tuple(fc.string(), value))

describe('encodeHeaders', () => {
  it('keeps order, equal names, nulls and bytes of pairs', () => {
    fc.assert(
      fc.property(pairs, (input) => {
        const expected = input.map(([name, given]) => [name, typeof given === 'string' ? Buffer.from(given) : given])
        expect(encodeHeaders(input)).toEqual(expected)
      }),
    )
  })

  it('takes an object in the order of its fields', () => {
    expect(encodeHeaders({ b: 'text', a: Buffer.from([0, 255]), c: null })).toEqual([
      ['b', Buffer.from('text')],
      ['a', Buffer.from([0, 255])],
      ['c', null],
    ])
  })

  it('takes the headers of a received message as they are, repeated names included', () => {
    const received = [textHeader('a', '1'), textHeader('a', '2'), ['b', null] as const]
    expect(encodeHeaders(messageHeaders(received))).toEqual(received)
  })

  it('takes a Map instead of losing its entries', () => {
    expect(encodeHeaders(new Map([['a', '1']]))).toEqual([textHeader('a', '1')])
  })

  it.each([
    ['a string', 'text', /object or pairs.*string/],
    ['null', null, /are null/],
    ['undefined', undefined, /are undefined/],
    ['a Buffer', Buffer.from('x'), /are Buffer/],
    ['a Date', new Date(0), /are Date/],
    ['a number value', { retries: 3 }, /"retries".*number.*String\(value\)/],
    ['an undefined value', { id: undefined }, /"id".*undefined.*leave it out/],
    ['a pair of three', [['a', '1', '2']], /header 0.*pair/],
    [
      'a name that is no string',
      [
        ['ok', '1'],
        [7, '1'],
      ],
      /header 1.*pair/,
    ],
    ['a list of strings', ['a', '1'], /header 0.*pair/],
  ])('refuses %s and says what to write', (_, input, message) => {
    expect(() => encodeHeaders(input as HeadersInput)).toThrow(message)
    expect(() => encodeHeaders(input as HeadersInput)).toThrow(expect.objectContaining({ code: 'invalid-headers' }))
  })

  it('never shows the value of a header it refuses', () => {
    expect(() => encodeHeaders({ token: ['s3cret'] } as unknown as HeadersInput)).toThrow(/^(?!.*s3cret)/)
  })
})

describe('messageHeaders', () => {
  const headers = messageHeaders([
    textHeader('a', 'first'),
    textHeader('a', 'last'),
    textHeader('b', 'é'),
    ['null', null],
  ])

  it('answers with the last header of a name', () => {
    expect(headers.get('a')).toBe('last')
    expect(headers.bytes('a')).toEqual(Buffer.from('last'))
  })

  it('tells a header without a value from one that is not there', () => {
    expect([headers.get('null'), headers.bytes('null'), headers.has('null')]).toEqual([undefined, null, true])
    expect([headers.get('none'), headers.bytes('none'), headers.has('none')]).toEqual([undefined, undefined, false])
  })

  it('decodes UTF-8', () => expect(headers.get('b')).toBe('é'))

  it('iterates in order with repeated names, and again', () => {
    const names = () => [...headers].map(([name]) => name)
    expect(names()).toEqual(['a', 'a', 'b', 'null'])
    expect(names()).toEqual(['a', 'a', 'b', 'null'])
  })

  it('allocates nothing for records without headers', () => {
    expect(messageHeaders([])).toBe(messageHeaders([]))
    expect([...messageHeaders([])]).toEqual([])
  })
})

describe('tdHeader', () => {
  it('names no header twice, all with the prefix', () => {
    const names = Object.values(tdHeader)
    expect(new Set(names).size).toBe(names.length)
    expect(names.filter((name) => !name.startsWith('td-'))).toEqual([])
  })
})
