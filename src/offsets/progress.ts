import { parseCommitMetadata } from './commit-metadata.js'
import { completedRangesSection, parseCompletedRanges } from './completed-ranges.js'
import { intersectRanges, subtractRanges, type OffsetRange } from './offset-range.js'

/** What a reader who starts from a commit takes as done: everything below `offset`, and `completed` beyond it. */
export interface Progress {
  readonly offset: number
  readonly completed: readonly OffsetRange[]
}

export function progressOf(commit: { readonly offset: number; readonly metadata: string | null }): Progress {
  const section = parseCommitMetadata(commit.metadata).get(completedRangesSection)
  return { offset: commit.offset, completed: parseCompletedRanges(section, commit.offset) }
}

/** What is done whichever of the two it is: a later commit may have had less room for its ranges than an earlier one. */
export function commonProgress(one: Progress, other: Progress): Progress {
  const offset = Math.min(one.offset, other.offset)
  const doneBeyond = ({ offset: to, completed }: Progress) => [{ from: offset, to }, ...completed]
  return { offset, completed: intersectRanges(doneBeyond(one), doneBeyond(other)) }
}

/** What of `ranges` a reader would handle again. */
export function notDone(ranges: readonly OffsetRange[], { offset, completed }: Progress): OffsetRange[] {
  return subtractRanges(ranges, [{ from: 0, to: offset }, ...completed])
}
