import { describe, expect, it } from 'vitest'
import type { OwnedPartition } from '../../../src/consumer/partition/owned-partition.js'
import { TidemarkError } from '../../../src/errors.js'
import { seededRandom } from '../../../src/runtime/random.js'
import { virtualClock } from '../../../src/testing/time/virtual-clock.js'
import { askGroup, LastOnRecord } from '../../../src/transaction/told-by-group.js'

interface Place {
  readonly offset: number
  readonly metadata: string
}

const at = (offset: number, metadata = ''): Place => ({ offset, metadata })

interface Case {
  /** What was in the transaction. */
  readonly chosen: Place
  readonly acknowledged: Place | null
  /** When the partition was assigned. */
  readonly assigned?: Place | null
  /** What this consumer committed last. */
  readonly before?: Place
  /** What the group has. */
  readonly now: Place | null
}

/** One partition for each case. */
async function told(cases: readonly Case[], answers: readonly ('retriable' | 'final' | 'told')[] = ['told']) {
  const clock = virtualClock()
  const lastOnRecord = new LastOnRecord()
  const owned = cases.map(({ acknowledged, assigned = null, before }, partition) => {
    const place = { topic: 'in', partition }
    if (before !== undefined) lastOnRecord.note(place, before)
    return { ...place, acknowledged, assigned: { committed: assigned }, isGone: false } as unknown as OwnedPartition
  })
  const chosen = cases.map(({ chosen: state }, index) => ({ partition: owned[index] as OwnedPartition, state }))
  const left = [...answers]
  const committed = () => {
    const answer = left.shift() ?? 'told'
    if (answer !== 'told') {
      return Promise.reject(new TidemarkError('refused', 'not told', { retriable: answer === 'retriable' }))
    }
    const found = cases.flatMap(({ now }, partition) =>
      now === null ? [] : [{ topic: 'in', partition, leaderEpoch: -1, ...now }],
    )
    return Promise.resolve(found)
  }
  const runtime = { clock, random: seededRandom(7) }
  return clock.runUntil(askGroup(chosen, lastOnRecord, { committed }, runtime, new AbortController().signal))
}

describe('a transaction of which only the group can tell', () => {
  it('is committed when the group has its place, and aborted when it has what it had before', async () => {
    expect(await told([{ chosen: at(20), acknowledged: at(10), now: at(20) }])).toBe('committed')
    expect(await told([{ chosen: at(20), acknowledged: at(10), now: at(10) }])).toBe('aborted')
    expect(await told([{ chosen: at(20), acknowledged: null, now: null }])).toBe('aborted')
    expect(await told([{ chosen: at(20), acknowledged: at(10), now: at(30) }])).toBe('unknown')
  })

  it('is asked about again while that may help', async () => {
    const aborted = { chosen: at(20), acknowledged: at(10), now: at(10) }
    expect(await told([aborted], ['retriable', 'retriable'])).toBe('aborted')
    expect(await told([aborted], ['final'])).toBe('unknown')
  })

  it('is aborted when a partition that was sought stands where it was before the seek', async () => {
    const sought = { chosen: at(20), acknowledged: null, assigned: at(5), before: at(50) }
    expect(await told([{ ...sought, now: at(50) }])).toBe('aborted')
    expect(await told([{ ...sought, now: at(20) }])).toBe('committed')
    // Reset: what the group had is not told any more.
    expect(await told([{ chosen: at(20), acknowledged: null, now: at(900) }])).toBe('aborted')
  })

  it('is not taken for committed by a place that its partition had before it was sought back', async () => {
    const replayed = { chosen: at(50), acknowledged: null, before: at(50), now: at(50) }
    expect(await told([replayed])).toBe('unknown')
    expect(await told([{ chosen: at(50), acknowledged: null, assigned: at(50), now: at(50) }])).toBe('unknown')
    expect(await told([replayed, { chosen: at(20), acknowledged: at(10), now: at(10) }])).toBe('aborted')
    expect(await told([replayed, { chosen: at(20), acknowledged: at(10), now: at(20) }])).toBe('committed')
  })

  it('is aborted when the group has what another kind of client wrote beside its offset', async () => {
    const foreign = at(10, 'of another client')
    expect(await told([{ chosen: at(20), acknowledged: at(10), assigned: foreign, now: foreign }])).toBe('aborted')
  })
})
