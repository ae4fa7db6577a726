import { parseCommitMetadata, type MetadataSection } from './commit-metadata.js'

const section = 'w'

/** From this offset on only records of this writer count, up to the next fence. */
export interface WriteFence {
  readonly from: number
  /** Letters and digits. */
  readonly writer: string
}

/** More have come and gone in a row without a record being done in between: the oldest are forgotten, what they kept out counts. */
const mostFences = 24

/**
 * Whose records count in a partition that one reader at a time writes and reads, beside its committed offset: a writer that
 * was replaced may still land some. Whoever takes the partition commits a fence at the end that it has then; a former
 * writer cannot commit any more, so fences stand in the order of the hand-overs.
 */
export function writeFencesSection(fences: readonly WriteFence[], committed: number): MetadataSection {
  // Of those below the committed offset only the last still says something.
  const passed = fences.filter(({ from }) => from <= committed).length
  const kept = fences.slice(Math.max(0, passed - 1)).slice(-mostFences)
  return {
    name: section,
    fit(maxBytes) {
      for (let first = 0; first < kept.length; first += 1) {
        const text = kept.slice(first).map(({ from, writer }) => `${from.toString(36)}.${writer}`)
        if (text.join(',').length <= maxBytes) return text.join(',')
      }
      return null
    },
  }
}

/** Rising; none where nothing of the kind is on record. */
export function writeFences(metadata: string | null): readonly WriteFence[] {
  const text = parseCommitMetadata(metadata).get(section) ?? ''
  return text.split(',').flatMap((one) => {
    const [, from, writer] = /^([0-9a-z]{1,11})\.([0-9a-z]{1,40})$/.exec(one) ?? []
    return from === undefined || writer === undefined ? [] : [{ from: parseInt(from, 36), writer }]
  })
}

/** Does a record of this writer count there? */
export function isFencedOff(fences: readonly WriteFence[], offset: number, writer: string | undefined): boolean {
  const fence = fences.findLast(({ from }) => from <= offset)
  return fence !== undefined && fence.writer !== writer
}
