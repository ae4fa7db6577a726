import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigError } from '../../../src/errors.js'
import { json } from '../../../src/serde/json.js'
import { string } from '../../../src/serde/string.js'
import { SerdeError } from '../../../src/serde/serde-error.js'

const errorOf = (run: () => unknown): SerdeError => {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(SerdeError)
    return error as SerdeError
  }
  throw new Error('expected an error')
}
const text = (value: string) => Buffer.from(value, 'utf8')
const circle: Record<string, unknown> = { a: { b: [] } }
;((circle['a'] as Record<string, unknown>)['b'] as unknown[]).push(circle)
const deep = (levels: number) => {
  let value: unknown = {}
  for (let level = 0; level < levels; level++) value = { n: value }
  return value
}

class Guarded {
  readonly #content = 1
  get content() {
    return this.#content
  }
}

describe('json without a schema', () => {
  it('gives back every JSON value it wrote', () => {
    const serde = json()
    // Keys that reach a prototype are refused on the way in; that has tests of its own.
    const isHarmless = (value: unknown) => !/"(?:__proto__|constructor)"/.test(JSON.stringify(value))
    const written = fc.jsonValue().filter((value) => value !== null && isHarmless(value))
    fc.assert(
      fc.property(written, (value) => {
        expect(serde.decode(serde.encode(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  it.each([
    ['NaN', { reading: { values: [1, NaN] } }, 'reading.values.1', /NaN is not a JSON number/],
    ['Infinity', { a: Infinity }, 'a', /Infinity/],
    ['-Infinity', [-Infinity], '0', /-Infinity/],
    ['NaN at the top', NaN, '', /the value: NaN/],
    ['NaN beside real nulls', { a: null, b: { c: [null, { d: NaN }] } }, 'b.c.1.d', /NaN/],
    ['a boxed NaN', { a: new Number(NaN) }, 'a', /NaN/],
    ['an invalid Date', { at: new Date(NaN) }, 'at', /invalid Date/],
    ['undefined in an array', { a: [1, undefined] }, 'a.1', /undefined in an array/],
    ['a hole in an array', { a: [1, , 2] }, 'a.1', /undefined in an array/],
    ['a function in an array', [() => 1], '0', /function in an array/],
    ['BigInt', { ids: [1n] }, 'ids.0', /BigInt.*string/],
    ['a circle', circle, 'a.b.0', /circle/],
    ['a Map', { a: { b: new Map([[1, 2]]) } }, 'a.b', /Map would become \{\}/],
    ['a Set', [new Set([1])], '0', /Set would become/],
    ['an Error', { e: new Error('content') }, 'e', /Error would lose its message/],
    [
      'an Error with fields',
      { e: Object.assign(new TypeError('content'), { code: 'X' }) },
      'e',
      /TypeError would lose/,
    ],
    ['a RegExp', { r: /content/ }, 'r', /RegExp would become \{\}/],
    ['an ArrayBuffer', [new ArrayBuffer(2)], '0', /ArrayBuffer is bytes/],
    ['a Uint8Array', { b: new Uint8Array([1, 2]) }, 'b', /Uint8Array is bytes/],
    ['floats', { b: new Float32Array([1.5]) }, 'b', /Float32Array is bytes/],
    ['a DataView', { b: new DataView(new ArrayBuffer(1)) }, 'b', /DataView is bytes/],
    ['Headers', { h: new Headers({ a: 'content' }) }, 'h', /Headers would become \{\}/],
    ['a Blob', { b: new Blob(['content']) }, 'b', /Blob would become \{\}/],
    ['query parameters', { q: new URLSearchParams('a=content') }, 'q', /would become \{\}/],
    ['an iterator', { i: [1].values() }, 'i', /would become \{\}/],
    ['an object with private fields alone', { p: new Guarded() }, 'p', /Guarded would become \{\}.*toJSON/],
    ['a NaN that toJSON returns', { a: { toJSON: () => ({ b: NaN }) } }, 'a.b', /NaN/],
    ['a getter that throws', { get a() { throw new RangeError('content') } }, '', /RangeError/], // prettier-ignore
  ])('refuses to write %s, naming the path', (_, value, path, message) => {
    const error = errorOf(() => json().encode(value))
    expect(error).toMatchObject({ kind: 'refused', code: 'value-refused', retriable: false, issues: [{ path }] })
    expect(error.message).toMatch(message)
    expect(error.message).toContain(path)
    expect(error.message).not.toContain('content')
  })

  it('writes null, {} and dates inside a value, and leaves out undefined fields', () => {
    const value = { a: null, b: {}, c: 'null {}', d: new Date(0), e: undefined, f: [null, {}] }
    expect(json().encode(value)?.toString()).toBe(
      '{"a":null,"b":{},"c":"null {}","d":"1970-01-01T00:00:00.000Z","f":[null,{}]}',
    )
  })

  it('takes a toJSON at its word, also one of BigInt, whatever else stands in the value', () => {
    const prototype = BigInt.prototype as { toJSON?: () => string }
    prototype.toJSON = function (this: bigint) {
      return this.toString()
    }
    try {
      expect(json().encode({ id: 1n, note: null, text: 'null' })?.toString()).toBe(
        '{"id":"1","note":null,"text":"null"}',
      )
    } finally {
      delete prototype.toJSON
    }
    expect(
      json()
        .encode({ at: new URL('http://a/b'), bytes: Buffer.from([7]) })
        ?.toString(),
    ).toBe('{"at":"http://a/b","bytes":{"type":"Buffer","data":[7]}}')
    expect(
      json()
        .encode(Object.assign(new Guarded(), { open: 1 }))
        ?.toString(),
    ).toBe('{"open":1}')
  })

  it('writes one object met twice, which is no circle', () => {
    const shared = { a: null }
    expect(json().encode([shared, shared])?.toString()).toBe('[{"a":null},{"a":null}]')
  })

  it.each([
    [undefined, /undefined/],
    [() => 1, /function/],
    [Symbol('s'), /symbol/],
  ])('refuses %s at the top', (value, message) => {
    expect(errorOf(() => json().encode(value)).message).toMatch(message)
  })

  it('refuses null both ways and names nullable', () => {
    expect(errorOf(() => json().encode(null))).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(/nullable/),
    })
    expect(errorOf(() => json().decode(null))).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(/nullable/),
    })
  })

  it.each([
    ['', 'the value is empty'],
    ['{"a":1,}', 'expected a key at byte 7'],
    ['{"a":1', 'expected "," or "}" at byte 6'],
    ['{"a" 1}', 'expected ":" at byte 5'],
    ['{a:1}', 'expected a key or "}" at byte 1'],
    ['[1,]', 'expected a value at byte 3'],
    ['[1 2]', 'expected "," or "]" at byte 3'],
    ['[', 'expected a value or "]" at byte 1'],
    ['{"a":nul}', 'expected a value at byte 5'],
    ['{"a":"b}', 'expected the rest of a string'],
    ['{"a":"\\x"}', 'at byte 6'],
    ['"a\nb"', 'at byte 2'],
    ['01', 'expected the end at byte 1'],
    ['1 1', 'expected the end at byte 2'],
    ['{"é":x}', 'expected a value at byte 6'],
    ['\ufeff{}', 'expected a value at byte 0'],
    ['{"a":NaN}', 'expected a value at byte 5'],
    ['hello secret', 'expected a value at byte 0'],
    ['{"a":1}\0', 'trailingNul'],
  ])('says where %j stops being JSON', (malformed, message) => {
    const error = errorOf(() => json().decode(text(malformed)))
    expect(error).toMatchObject({ kind: 'malformed', code: 'value-malformed' })
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('secret')
    expect(error.cause).toBeUndefined()
  })

  it('finds a place in whatever the engine refuses, and shows none of it', () => {
    const mutated = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', ']', '\\', '\u0001', '0', '-', 'é'))
      .map(([source, at, junk]) => source.slice(0, at % (source.length + 1)) + junk)
    fc.assert(
      fc.property(mutated, (source) => {
        let engineAccepts = true
        try {
          JSON.parse(source)
        } catch {
          engineAccepts = false
        }
        fc.pre(!engineAccepts && source !== '')
        const error = errorOf(() => json().decode(text(source)))
        const byte = Number(/at byte (\d+)/.exec(error.message)?.[1])
        expect(byte).toBeLessThanOrEqual(Buffer.byteLength(source))
      }),
      { numRuns: 500 },
    )
  })

  it('answers a hostile text in time that grows with its length alone', () => {
    expect(errorOf(() => json().decode(text('['.repeat(1_000_000)))).kind).toBe('malformed')
    expect(errorOf(() => json().decode(text(`"${'a'.repeat(1_000_000)}`))).kind).toBe('malformed')
  })

  it('refuses bytes that are not UTF-8 and takes a real U+FFFD', () => {
    expect(errorOf(() => json().decode(Buffer.from([0x22, 0xff, 0x22]))).kind).toBe('malformed')
    expect(json().decode(text('"\ufffd"'))).toBe('\ufffd')
  })

  it('tells the records of a schema registry by how they begin, JSON behind it or not', () => {
    const behind = (rest: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, 1, 7]), rest])
    for (const value of [behind(text('{"a":1}')), behind(Buffer.from([0x02, 0x96, 0xff]))]) {
      const error = errorOf(() => json().decode(value))
      expect(error.kind).toBe('malformed')
      expect(error.message).toMatch(/schema registry.*schema id 263.*bytes\(\)/)
    }
    expect(errorOf(() => string().decode(behind(Buffer.from([0xff])))).message).toMatch(/schema registry/)
    for (const other of [text('\0{"a":1}'), Buffer.from([0, 0, 0, 0]), text('{"a"')]) {
      expect(errorOf(() => json().decode(other)).message).not.toMatch(/registry/)
    }
  })

  it('cuts trailing NUL bytes only when told to', () => {
    expect(json({ trailingNul: 'trim' }).decode(text('{"a":1}\0\0'))).toEqual({ a: 1 })
    expect(json().decode(text('{"a":1}\r\n'))).toEqual({ a: 1 })
    expect(errorOf(() => json({ trailingNul: 'trim' }).decode(text('\0'))).kind).toBe('malformed')
  })

  it('refuses more than maxBytes before parsing, and after writing', () => {
    const small = json({ maxBytes: 8 })
    expect(errorOf(() => small.decode(text('not json at all'))).message).toMatch(/8 bytes \(maxBytes\).*has 15/)
    expect(errorOf(() => small.encode('123456789')).message).toMatch(/has 11/)
    expect(small.decode(text('"123456"'))).toBe('123456')
  })

  it.each([
    ['{"a":{"__proto__":{"admin":true}}}', 'a.__proto__'],
    ['{"\\u005f_proto__":1}', '__proto__'],
    ['{"_\\u005Fproto\\u005F_":1}', '__proto__'],
    ['[{"constructor":{"prototype":{"x":1}}}]', '0.constructor'],
    ['{"\\u0063onstructor":{"prototype":1}}', 'constructor'],
  ])('refuses the key in %s that could change a prototype', (source, path) => {
    expect(errorOf(() => json().decode(text(source)))).toMatchObject({ kind: 'refused', issues: [{ path }] })
  })

  it('takes the same words as text, and constructor as an ordinary key', () => {
    for (const source of ['{"a":"__proto__"}', '{"constructor":"Renault"}', '["\\u0041"]']) {
      expect(json().decode(text(source))).toEqual(JSON.parse(source))
    }
  })

  it('refuses values too deep to be walked instead of overflowing the stack', () => {
    const nested = `${'{"__proto__":'.slice(0, 0)}${'['.repeat(100_000)}"__proto__"${']'.repeat(100_000)}`
    expect(errorOf(() => json().decode(text(nested))).kind).toBe('refused')
    expect(errorOf(() => json().encode({ a: NaN, b: deep(100_000) })).kind).toBe('refused')
  })
})

describe('json with a schema', () => {
  const Reading = z.object({ sensor: z.string(), value: z.number().max(100), tags: z.array(z.string()).optional() })

  it('checks both ways and names the paths, never the content', () => {
    const bad = { sensor: 'secret', value: 4711, tags: ['ok', 12_345] }
    for (const run of [
      () => json(Reading).encode(bad as never),
      () => json(Reading).decode(text(JSON.stringify(bad))),
    ]) {
      const error = errorOf(run)
      expect(error.kind).toBe('refused')
      expect(error.issues.map((issue) => issue.path)).toEqual(['value', 'tags.1'])
      expect(error.message).not.toMatch(/secret|4711|12345/)
    }
  })

  it('reads what the schema makes of the value', () => {
    const serde = json(z.object({ n: z.number().default(7) }))
    expect(serde.decode(text('{"extra":1}'))).toEqual({ n: 7 })
  })

  it('writes with a schema that does not accept its own output once told to trust', () => {
    const Timed = z.object({ at: z.string().transform((at) => new Date(at)) })
    const value = { at: new Date(0) }
    expect(errorOf(() => json(Timed).encode(value)).issues).toMatchObject([{ path: 'at' }])
    const trusting = json(Timed, { checkOnEncode: false })
    expect(trusting.decode(trusting.encode(value))).toEqual(value)
  })

  it('that cannot read what it wrote is found at the first write, and at each until one can be read', () => {
    const dated = json(z.object({ at: z.date().optional() }))
    for (let write = 0; write < 2; write++) {
      expect(() => dated.encode({ at: new Date(0) })).toThrow(
        expect.objectContaining({
          code: 'invalid-config',
          message: expect.stringMatching(/cannot read what it has written: at: .*coerce/s) as string,
        }),
      )
    }
    expect(dated.encode({})?.toString()).toBe('{}')
    const coerced = json(z.object({ at: z.coerce.date() }))
    expect(coerced.decode(coerced.encode({ at: new Date(0) }))).toEqual({ at: new Date(0) })
  })

  it('lists at most ten issues', () => {
    const error = errorOf(() => json(z.array(z.string())).encode(Array.from({ length: 25 }, () => 1) as never))
    expect(error.issues).toHaveLength(10)
    expect(error.message).toMatch(/and 15 more/)
  })

  it('does not pass on the text of libraries that quote what came', () => {
    const quoting = {
      '~standard': {
        version: 1 as const,
        vendor: 'quoting',
        validate: (value: unknown) => ({
          issues: [{ message: `got ${JSON.stringify(value)}`, path: [{ key: 'a' }, 0] }],
        }),
      },
    }
    const error = errorOf(() => json(quoting).decode(text('{"a":["secret"]}')))
    expect(error.issues).toEqual([{ path: 'a.0', message: 'not accepted, came string' }])
    expect(error.message).not.toContain('secret')
  })

  it('says at first use that a schema is asynchronous', () => {
    const later = json(z.string().refine(async () => Promise.resolve(true)))
    expect(() => later.decode(text('"x"'))).toThrow(ConfigError)
    expect(() => later.encode('x')).toThrow(/asynchronous.*handler/)
  })

  it('that answers with something like a promise is refused, and no rejection is left behind', async () => {
    const strays: unknown[] = []
    const note = (reason: unknown) => void strays.push(reason)
    process.on('unhandledRejection', note)
    const late = (validate: () => unknown) => ({ '~standard': { version: 1 as const, vendor: 'late', validate } })
    for (const validate of [() => Promise.reject(new Error('late')), () => ({ then: () => undefined })]) {
      expect(() => json(late(validate) as never).decode(text('1'))).toThrow(/asynchronous/)
    }
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(strays).toEqual([])
  })

  it('blames the value, not the schema, when a check throws', () => {
    const throwing = json(z.string().refine(() => { throw new RangeError('secret') })) // prettier-ignore
    const error = errorOf(() => throwing.decode(text('"x"')))
    expect(error).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(/threw RangeError|throw RangeError/),
    })
    expect(error.message).not.toContain('secret')
  })
})

describe('options of json', () => {
  it.each<[string, unknown, string]>([
    ['a schema without the standard interface', new (class OldSchema {})(), 'schema'],
    ['a function', () => true, 'schema'],
    ['an unknown name', { maxByte: 5 }, 'maxByte'],
    ['an impossible limit', { maxBytes: NaN }, 'maxBytes'],
    ['an impossible word', { trailingNul: true }, 'trailingNul'],
  ])('refuse %s instead of checking nothing', (_, options, path) => {
    expect(() => json(options as never)).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ path })] }),
    )
  })

  it('come second with a schema', () => {
    expect(() => json(z.string(), { maxBytes: 0 })).toThrow(ConfigError)
    expect(json(z.string(), { maxBytes: 5 }).decode(text('"abc"'))).toBe('abc')
  })
})
