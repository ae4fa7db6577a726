import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  commitMetadataMaxBytes,
  encodeCommitMetadata,
  parseCommitMetadata,
  type MetadataSection,
} from '../../../src/offsets/commit-metadata.js'
import { completedRangesText, parseCompletedRanges } from '../../../src/offsets/completed-ranges.js'
import { mergeRanges, subtractRanges } from '../../../src/offsets/offset-range.js'

const fixed = (name: string, text: string): MetadataSection => ({
  name,
  fit: (maxBytes) => (Buffer.byteLength(text) <= maxBytes ? text : null),
})

describe('commit metadata', () => {
  it('gives back every section, whatever characters it holds', () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 200, unit: 'binary' }),
        fc.string({ minLength: 1, maxLength: 200 }),
        (one, two) => {
          const parsed = parseCommitMetadata(encodeCommitMetadata([fixed('c', one), fixed('reorder', two)]))
          expect(parsed.get('c') ?? '').toBe(one)
          expect(parsed.get('reorder')).toBe(two)
        },
      ),
    )
  })

  it('stays within its limit and leaves the least important section out first', () => {
    const text = encodeCommitMetadata([fixed('a', 'x'.repeat(2000)), fixed('b', 'y'.repeat(2000)), fixed('c', 'z')])
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(commitMetadataMaxBytes)
    expect([...parseCommitMetadata(text).keys()]).toEqual(['a', 'c'])
  })

  it('reads foreign or damaged text as empty and never throws', () => {
    for (const text of [
      null,
      '',
      'foreign',
      '{"a":1}',
      'td2;c:1:x',
      'td1;c:5:x',
      'td1;c:x',
      'td1;C:1:x',
      'td1;c:1:xx',
    ]) {
      expect(parseCommitMetadata(text).size).toBe(0)
    }
    const whole = encodeCommitMetadata([fixed('c', 'abc'), fixed('d', 'def')])
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.string({ maxLength: 5 }), (at, noise) => {
        expect(() => parseCommitMetadata(whole.slice(0, at) + noise + whole.slice(at + 1))).not.toThrow()
      }),
    )
  })
})

describe('completed ranges', () => {
  const rangesFrom = (base: number) =>
    fc
      .array(fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 1, max: 100_000 })), { maxLength: 50 })
      .map((pairs) => {
        let at = base
        return pairs.map(([gap, length]) => {
          const from = at + gap
          at = from + length
          return { from, to: at }
        })
      })

  it('come back as they were committed', () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 40).chain((base) => fc.tuple(fc.constant(base), rangesFrom(base))),
        ([base, ranges]) => {
          const text = completedRangesText(base, ranges).fit(3000)
          expect(parseCompletedRanges(text ?? undefined, base)).toEqual(ranges)
        },
      ),
    )
  })

  it('keep the lowest when there is no room for all', () => {
    const ranges = Array.from({ length: 2000 }, (_, index) => ({ from: 10 + index * 2, to: 11 + index * 2 }))
    const text = completedRangesText(5, ranges).fit(100) as string
    expect(text.length).toBeLessThanOrEqual(100)
    const parsed = parseCompletedRanges(text, 5)
    expect(parsed).toEqual(ranges.slice(0, parsed.length))
    expect(parsed.length).toBeGreaterThan(10)
  })

  it('do not count beside another offset than the one they were committed with', () => {
    const text = completedRangesText(100, [{ from: 110, to: 120 }]).fit(100) as string
    expect(parseCompletedRanges(text, 100)).toEqual([{ from: 110, to: 120 }])
    expect(parseCompletedRanges(text, 90)).toEqual([])
  })

  it('are none when the text is damaged', () => {
    for (const text of ['', '2s', '2s,', '2s,a', '2s,a.0', '2s,a.-1', '2s,zzzzzzzzzzzzzz.1']) {
      expect(parseCompletedRanges(text, 100)).toEqual([])
    }
  })
})

describe('ranges', () => {
  it('merge and subtract as sets of offsets do', () => {
    const ranges = fc.array(
      fc.tuple(fc.nat(60), fc.nat(10)).map(([from, length]) => ({ from, to: from + length })),
      { maxLength: 8 },
    )
    const asSet = (list: readonly { from: number; to: number }[]) =>
      new Set(list.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, index) => from + index)))
    fc.assert(
      fc.property(ranges, ranges, (left, right) => {
        expect(asSet(mergeRanges(left))).toEqual(asSet(left))
        const rest = [...asSet(left)].filter((offset) => !asSet(right).has(offset))
        expect([...asSet(subtractRanges(left, right))].sort()).toEqual(rest.sort())
      }),
    )
  })
})
