import { parseCommitMetadata, type MetadataSection } from './commit-metadata.js'
import type { OffsetRange } from './offset-range.js'
import { orderOf } from './order-snapshot.js'
import { progressOf } from './progress.js'

export const leaderEpochsSection = 'e'

/** Offsets whose records one leader wrote. */
export interface EpochRange extends OffsetRange {
  readonly leaderEpoch: number
}

/** Leaders whose records lie below the committed offset. One of them may come back, with other records than the next ones had. */
const mostBelow = 8

/**
 * Which leaders wrote what lies around a committed offset, and what was completed beyond it, as text: that offset, then gap,
 * length and epoch of each range, in base 36. An unclean election may put other records at those offsets; the epochs tell.
 * All of it or none: half of it would let good ranges pass for cut.
 */
export function leaderEpochsText(committed: number, known: readonly EpochRange[]): MetadataSection {
  const below = known.filter(({ from }) => from < committed).length
  const ranges = known.slice(Math.max(0, below - mostBelow))
  let text = committed.toString(36)
  let at = 0
  for (const { from, to, leaderEpoch } of ranges) {
    text += `,${(from - at).toString(36)}.${(to - from).toString(36)}.${leaderEpoch.toString(36)}`
    at = to
  }
  const isEmpty = ranges.length === 0
  return { name: leaderEpochsSection, fit: (maxBytes) => (isEmpty || text.length > maxBytes ? null : text) }
}

/**
 * Which leaders wrote what the commit says is done, as far as it tells: versions that did not write this down are believed.
 * Never throws.
 */
export function leaderEpochsOf(commit: {
  readonly offset: number
  readonly metadata: string | null
}): readonly EpochRange[] {
  const end = saidUpTo(commit)
  const text = parseCommitMetadata(commit.metadata).get(leaderEpochsSection)
  if (text === undefined || !/^[0-9a-z]+(,[0-9a-z]+\.[0-9a-z]+\.[0-9a-z]+)+$/.test(text)) return []
  const [base, ...parts] = text.split(',')
  if (parseInt(base as string, 36) !== commit.offset) return []
  const ranges: EpochRange[] = []
  let at = 0
  for (const part of parts) {
    const [gap, length, leaderEpoch] = part.split('.').map((digits) => parseInt(digits, 36)) as [number, number, number]
    const from = at + gap
    at = from + length
    if (!Number.isSafeInteger(at) || at <= from) return []
    if (from < end) ranges.push({ from, to: Math.min(at, end), leaderEpoch })
  }
  return ranges
}

/** Where the last record lies of which a commit may say that it is done. */
function saidUpTo(commit: { readonly offset: number; readonly metadata: string | null }): number {
  const order = orderOf(commit.metadata)
  const read = typeof order === 'string' ? commit.offset : order.position
  return Math.max(commit.offset, read, progressOf(commit).completed.at(-1)?.to ?? commit.offset)
}
