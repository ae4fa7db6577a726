import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeCommitMetadata } from '../../../src/offsets/commit-metadata.js'
import { completedRangesText } from '../../../src/offsets/completed-ranges.js'
import { leaderEpochsOf, leaderEpochsSection, leaderEpochsText } from '../../../src/offsets/leader-epochs.js'
import { progressOf } from '../../../src/offsets/progress.js'

const epochs = [
  { from: 7, to: 40, leaderEpoch: 3 },
  { from: 50, to: 90, leaderEpoch: 40 },
]
const written = (completed: { from: number; to: number }[], maxBytes?: number) =>
  encodeCommitMetadata([leaderEpochsText(5, epochs), completedRangesText(5, completed, leaderEpochsSection)], maxBytes)

describe('the leader epochs beside completed ranges', () => {
  it('are read as they were written, up to the end of the ranges', () => {
    const metadata = written([
      { from: 7, to: 20 },
      { from: 60, to: 70 },
    ])
    expect(leaderEpochsOf({ offset: 5, metadata })).toEqual([
      { from: 7, to: 40, leaderEpoch: 3 },
      { from: 50, to: 70, leaderEpoch: 40 },
    ])
    expect(leaderEpochsOf({ offset: 5, metadata: written([{ from: 7, to: 20 }]) })).toEqual([
      { from: 7, to: 20, leaderEpoch: 3 },
    ])
  })

  it('below the offset are kept too, the latest of them', () => {
    const leaders = Array.from({ length: 20 }, (_, index) => ({
      from: index * 2,
      to: index * 2 + 2,
      leaderEpoch: index,
    }))
    const metadata = encodeCommitMetadata([leaderEpochsText(39, leaders)])
    const read = leaderEpochsOf({ offset: 39, metadata })
    expect(read).toEqual([...leaders.slice(12, 19), { from: 38, to: 39, leaderEpoch: 19 }])
  })

  it('say nothing beside another offset, without ranges, and of commits that do not have them', () => {
    const completed = [{ from: 7, to: 20 }]
    expect(leaderEpochsOf({ offset: 6, metadata: written(completed) })).toEqual([])
    expect(leaderEpochsOf({ offset: 5, metadata: written([]) })).toEqual([])
    expect(leaderEpochsOf({ offset: 5, metadata: encodeCommitMetadata([completedRangesText(5, completed)]) })).toEqual(
      [],
    )
    expect(leaderEpochsOf({ offset: 5, metadata: null })).toEqual([])
  })

  it('take the ranges with them where there is no room: ranges that nobody can tell apart from others are not written', () => {
    const completed = [{ from: 7, to: 20 }]
    const whole = Buffer.byteLength(written(completed))
    for (let maxBytes = 0; maxBytes <= whole + 10; maxBytes += 1) {
      const commit = { offset: 5, metadata: written(completed, maxBytes) }
      if (progressOf(commit).completed.length > 0) expect(leaderEpochsOf(commit)).not.toEqual([])
    }
    expect(progressOf({ offset: 5, metadata: written(completed, whole + 10) }).completed).toEqual(completed)
  })

  it('that are damaged never throw, and never claim what lies outside the ranges', () => {
    const whole = written([{ from: 7, to: 60 }])
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.string({ maxLength: 5 }), (at, noise) => {
        const metadata = whole.slice(0, at) + noise + whole.slice(at + 1)
        const end = progressOf({ offset: 5, metadata }).completed.at(-1)?.to ?? 0
        for (const range of leaderEpochsOf({ offset: 5, metadata })) expect(range.to).toBeLessThanOrEqual(end)
      }),
    )
  })
})
