import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { json } from '../../../src/serde/json.js'
import { firstChangedNumber, mayHoldLargeNumber, readWithBigInts } from '../../../src/serde/json-numbers.js'
import { nullable } from '../../../src/serde/nullable.js'
import type { ValueIssue } from '../../../src/serde/serde-error.js'

const bytes = (text: string) => Buffer.from(text, 'utf8')

/** What reading a text changed, as a consumer is told. */
function changesOf(text: string): readonly ValueIssue[] {
  const changes: ValueIssue[] = []
  nullable(json()).decode(bytes(text), (issue) => changes.push(issue))
  return changes
}

describe('a number that JavaScript cannot hold', () => {
  it.each([
    ['{"id":9007199254740993}', 'id', /rounded/],
    ['{"a":[{"id":-9007199254740993}]}', 'a.0.id', /rounded/],
    ['[1,2,12345678901234567890]', '2', /rounded/],
    ['123456789012345678', '', /rounded/],
    ['{"id":1e400}', 'id', /Infinity/],
    ['{"n":{"id":-1.5E+400}}', 'n.id', /Infinity/],
    [`[${'9'.repeat(400)}]`, '0', /rounded/],
    ['{"text":"9007199254740993","id" : 9007199254740993 }', 'id', /rounded/],
    ['{"a\\"b":{"c":9007199254740993}}', 'a"b.c', /rounded/],
  ])('in %s is told with its path, or refused', (text, path, message) => {
    expect(changesOf(text)).toEqual([{ path, message: expect.stringMatching(message) as string }])
    expect(() => json({ largeIntegers: 'refuse' }).decode(bytes(text))).toThrow(
      expect.objectContaining({ kind: 'refused', issues: [expect.objectContaining({ path })] }),
    )
  })

  it.each([
    '{"id":9007199254740991,"other":-9007199254740991}',
    '{"exact":9007199254740992,"too":1152921504606846976}',
    '{"fraction":0.12345678901234567,"big":1234567.1234567891234567}',
    '{"text":"9007199254740993","more":"id 9007199254740993, or 1e400"}',
    '{"mass":1.989e30,"charge":1.6E-19,"top":1.7976931348623157e308,"none":5e-400}',
    '[1767225600000,1767225601000]',
  ])('is not seen in %s', (text) => {
    expect(changesOf(text)).toEqual([])
    expect(json({ largeIntegers: 'refuse' }).decode(bytes(text))).toEqual(JSON.parse(text))
  })

  it('gets a closer look wherever its 16 digits stand, and a shorter one gets none', () => {
    const wrong: string[] = []
    for (let before = 0; before < 34; before++) {
      for (let digits = 1; digits < 36; digits++) {
        for (let after = 0; after < 18; after++) {
          const text = `[${' '.repeat(before)}${'9'.repeat(digits)}${' '.repeat(after)}]`
          if (mayHoldLargeNumber(bytes(text), text) !== digits >= 16) wrong.push(text)
        }
      }
    }
    expect(wrong).toEqual([])
  })

  it.each([
    '{"id":"3e123456-4e12-4e89-9e99-1e4567890123"}',
    '{"id":"ab-1234567890123456789012345678901234567890","b":"0001234567890123456789"}',
    '{"hash":"e1234567e1234567e1234567e1234567"}',
    '{"fraction":0.12345678901234567890,"small":5e-400}',
  ])('is not looked for more closely where only text or a fraction looks like one: %s', (text) => {
    expect(mayHoldLargeNumber(bytes(text), text)).toBe(false)
  })

  it('is told beside keys that are numbers, and behind many brackets, by a serde that has met them and by one that has not', () => {
    const serde = nullable(json())
    const told = (text: string) => {
      const changes: ValueIssue[] = []
      serde.decode(bytes(text), (issue) => changes.push(issue))
      return changes.map(({ path }) => path)
    }
    const deep = `${'['.repeat(900)}1e400${']'.repeat(900)}`
    const inner = '{"n":1e400,"id":-9007199254740993}'
    for (const text of [`{"7":1e400}`, `{"a":{"12":{"b":[1,${inner}]}}}`, `{"a":[1,"x",${inner}]}`]) {
      expect(told(text)).toHaveLength(1)
      expect(changesOf(text)).toHaveLength(1)
    }
    expect(told(deep)).toHaveLength(1)
    expect(changesOf(deep)).toHaveLength(1)
    expect(told(`${'['.repeat(50_000)}1${']'.repeat(50_000)}`)).toEqual([])
    expect(told('{"a":1,"12":2}')).toEqual([])
  })

  it('is read as BigInt where that is wanted, by the schema too; what no BigInt can hold is refused', () => {
    const serde = json({ largeIntegers: 'bigint' })
    expect(serde.decode(bytes('{"ids":[9007199254740993,1,"9007199254740993"],"exact":9007199254740992}'))).toEqual({
      ids: [9007199254740993n, 1, '9007199254740993'],
      exact: 9007199254740992n,
    })
    const typed = json(z.object({ id: z.bigint() }), { largeIntegers: 'bigint', checkOnEncode: false })
    expect(typed.decode(bytes('{"id":9007199254740993}'))).toEqual({ id: 9007199254740993n })
    expect(() => serde.decode(bytes('{"a":1e400}'))).toThrow(
      expect.objectContaining({ kind: 'refused', issues: [expect.objectContaining({ path: 'a' })] }),
    )
  })

  it('changes nothing else of a text that is read for it', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('\n  ', '\t', ''), (text, indent) => {
        const spaced = JSON.stringify(JSON.parse(text), null, indent)
        if (!/__proto__/.test(spaced)) expect(readWithBigInts(spaced)).toEqual(widened(JSON.parse(spaced)))
      }),
    )
  })

  it('is never missed by the first look, wherever it stands', () => {
    const token = fc.oneof(
      fc.bigInt({ min: 2n ** 53n + 1n, max: 2n ** 80n }).map(String),
      fc.constantFrom('1e309', '9E999', '-1.5e+400', '123e4000', '-12.25E0400', '0.5e+1000'),
    )
    const blank = fc.constantFrom('', ' ', '\n\t', '\r\n')
    // Refused for another reason.
    const other = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'))
    fc.assert(
      fc.property(fc.array(other, { maxLength: 4 }), token, other, blank, (before, large, after, gap) => {
        const parts = [...before.map((value) => JSON.stringify(value)), large, JSON.stringify(after)]
        const text = `[${parts.join(`,${gap}`)}]`
        expect(mayHoldLargeNumber(bytes(text), text)).toBe(true)
        const value = Number(large)
        const isExact = Number.isFinite(value) && (String(value) === large || BigInt(value) === BigInt(large))
        if (!isExact) {
          expect(firstChangedNumber(text)).not.toBeNull()
          expect(changesOf(text)).toHaveLength(1)
          expect(changesOf(`{"outer":${text}}`)).toMatchObject([{ path: expect.stringMatching(/^outer\./) as string }])
        }
      }),
    )
  })
})

/** As readWithBigInts reads it: whole numbers beyond 2^53 that were written without an exponent. */
function widened(value: unknown): unknown {
  if (
    typeof value === 'number' &&
    Number.isInteger(value) &&
    !Number.isSafeInteger(value) &&
    !/e/.test(String(value))
  ) {
    return BigInt(String(value))
  }
  if (Array.isArray(value)) return value.map(widened)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, widened(field)]))
}
