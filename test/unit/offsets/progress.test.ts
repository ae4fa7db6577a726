import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import { completedRangesText } from '../../../src/offsets/completed-ranges.js'
import type { OffsetRange } from '../../../src/offsets/offset-range.js'
import { commonProgress, notDone, progressOf, type Progress } from '../../../src/offsets/progress.js'

const progress = fc
  .tuple(fc.nat(20), fc.array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 5 })), { maxLength: 4 }))
  .map(([offset, runs]): Progress => {
    const completed = runs.map(([from, length]) => ({ from: offset + from, to: offset + from + length }))
    return { offset, completed }
  })

const covers = (ranges: readonly OffsetRange[], offset: number) =>
  ranges.some(({ from, to }) => from <= offset && offset < to)
const isDone = ({ offset: end, completed }: Progress, offset: number) => offset < end || covers(completed, offset)
const offsets = Array.from({ length: 60 }, (_, offset) => offset)

describe('progress', () => {
  it('is what the commit says: the offset and, beside exactly this offset, the finished ranges', () => {
    const ranges = [{ from: 7, to: 9 }]
    const metadata = encodeCommitMetadata([completedRangesText(5, ranges)])
    expect(progressOf({ offset: 5, metadata })).toEqual({ offset: 5, completed: ranges })
    expect(progressOf({ offset: 6, metadata })).toEqual({ offset: 6, completed: [] })
    expect(progressOf({ offset: 6, metadata: null })).toEqual({ offset: 6, completed: [] })
  })

  it('of two commits is what is done by both', () => {
    fc.assert(
      fc.property(progress, progress, (one, other) => {
        const common = commonProgress(one, other)
        for (const offset of offsets) {
          expect(isDone(common, offset)).toBe(isDone(one, offset) && isDone(other, offset))
        }
      }),
    )
  })

  it('takes away exactly what is done', () => {
    fc.assert(
      fc.property(progress, fc.nat(40), fc.integer({ min: 1, max: 20 }), (done, from, length) => {
        const rest = notDone([{ from, to: from + length }], done)
        for (const offset of offsets) {
          const inRange = from <= offset && offset < from + length
          expect(covers(rest, offset)).toBe(inRange && !isDone(done, offset))
        }
      }),
    )
  })
})
