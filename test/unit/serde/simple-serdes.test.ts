import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytes } from '../../../src/serde/bytes.js'
import { json } from '../../../src/serde/json.js'
import { nullable } from '../../../src/serde/nullable.js'
import { string } from '../../../src/serde/string.js'

const refused = (message: RegExp) =>
  expect.objectContaining({ kind: 'refused', message: expect.stringMatching(message) })

describe('string', () => {
  it('gives back every Unicode text it wrote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        expect(string().decode(string().encode(value))).toBe(value)
      }),
    )
  })

  it('refuses what UTF-8 would change', () => {
    expect(() => string().encode('a\ud800b')).toThrow(refused(/surrogate/))
    expect(() => string().decode(Buffer.from([0xc3, 0x28]))).toThrow(expect.objectContaining({ kind: 'malformed' }))
  })

  it('refuses other types and null, naming nullable', () => {
    expect(() => string().encode(5 as never)).toThrow(refused(/number/))
    expect(() => string().encode(null as never)).toThrow(refused(/nullable\(string\(\)\)/))
    expect(() => string().decode(null)).toThrow(refused(/nullable\(string\(\)\)/))
  })
})

describe('bytes', () => {
  it('hands bytes through untouched, empty ones too', () => {
    const value = Buffer.from([0, 255, 128])
    expect(bytes().encode(value)).toBe(value)
    expect(bytes().decode(value)).toBe(value)
    expect(bytes().decode(Buffer.alloc(0))).toHaveLength(0)
  })

  it('takes the window of a Uint8Array, not its whole memory', () => {
    const window = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
    expect(bytes().encode(window as Buffer)).toEqual(Buffer.from([2, 3]))
  })

  it('refuses other types and null, naming nullable', () => {
    expect(() => bytes().encode('text' as never)).toThrow(refused(/string.*Buffer\.from/))
    expect(() => bytes().encode(null as never)).toThrow(refused(/nullable\(bytes\(\)\)/))
    expect(() => bytes().decode(null)).toThrow(refused(/nullable\(bytes\(\)\)/))
  })
})

describe('nullable', () => {
  it('makes null a tombstone both ways and leaves values to its serde', () => {
    const serde = nullable(json<{ a: number }>())
    expect(serde.name).toBe('nullable json')
    expect(serde.encode(null)).toBeNull()
    expect(serde.decode(null)).toBeNull()
    expect(serde.decode(serde.encode({ a: 1 }))).toEqual({ a: 1 })
    expect(() => nullable(string()).encode(5 as never)).toThrow(refused(/number/))
  })
})
