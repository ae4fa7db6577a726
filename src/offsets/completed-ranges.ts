import type { MetadataSection } from './commit-metadata.js'
import { mergeRanges, type OffsetRange } from './offset-range.js'

export const completedRangesSection = 'c'

/**
 * Finished ranges beyond a committed offset as text: the committed offset, then gap and length of each range, in base 36.
 * The offset is repeated inside because tools copy and move commits with their metadata: ranges that belong to another
 * offset would hide records that nobody handled.
 *
 * @param needs the section that tells whose records they are, where that is known
 */
export function completedRangesText(
  committed: number,
  ranges: readonly OffsetRange[],
  needs?: string,
): MetadataSection {
  return {
    name: completedRangesSection,
    needs,
    fit(maxBytes) {
      let text = committed.toString(36)
      let at = committed
      let written = 0
      for (const { from, to } of ranges) {
        const part = `,${(from - at).toString(36)}.${(to - from).toString(36)}`
        // The lowest ranges are kept: they are passed first, and the farther ones will be written by a later commit.
        if (text.length + part.length > maxBytes) break
        text += part
        at = to
        written += 1
      }
      return written === 0 ? null : text
    },
  }
}

/** A comma, a dot and two digits are the least: more need not be looked for. */
export function mostRangesIn(maxBytes: number): number {
  return Math.ceil(maxBytes / 4)
}

/** The ranges written for exactly this committed offset; none when the text is damaged or speaks of another offset. */
export function parseCompletedRanges(text: string | undefined, committed: number): readonly OffsetRange[] {
  if (text === undefined || !/^[0-9a-z]+(,[0-9a-z]+\.[0-9a-z]+)+$/.test(text)) return []
  const [base, ...parts] = text.split(',')
  if (parseInt(base as string, 36) !== committed) return []
  const ranges: OffsetRange[] = []
  let at = committed
  for (const part of parts) {
    const [gap, length] = part.split('.')
    const from = at + parseInt(gap as string, 36)
    at = from + parseInt(length as string, 36)
    if (!Number.isSafeInteger(at) || at <= from) return []
    ranges.push({ from, to: at })
  }
  return mergeRanges(ranges)
}
