import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyBytes } from '../../../src/topic/key.js'

describe('a key that is text', () => {
  it('is its UTF-8, short or long, ASCII or not', () => {
    const texts = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(texts, (text) => {
        expect(keyBytes(text, 'a key')).toEqual(Buffer.from(text, 'utf8'))
      }),
      { numRuns: 200 },
    )
    for (const text of [
      '',
      '\u0000',
      '\u007f',
      '\u0080',
      'ä',
      '€',
      '😀',
      'a'.repeat(16),
      'a'.repeat(17),
      `${'a'.repeat(15)}ÿ`,
    ]) {
      expect(keyBytes(text, 'a key')).toEqual(Buffer.from(text, 'utf8'))
    }
  })

  it('is refused with half of a surrogate pair, also where it is short', () => {
    expect(() => keyBytes('a\ud800', 'a key')).toThrow(/surrogate/)
  })
})
