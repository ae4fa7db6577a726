/** Offsets from `from` up to, not including, `to`. */
export interface OffsetRange {
  readonly from: number
  readonly to: number
}

/** Sorted, without overlaps; neighbours become one, empty ranges vanish. */
export function mergeRanges(ranges: readonly OffsetRange[]): OffsetRange[] {
  const merged: { from: number; to: number }[] = []
  for (const { from, to } of [...ranges].sort((left, right) => left.from - right.from)) {
    const last = merged[merged.length - 1]
    if (to <= from) continue
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to)
    else merged.push({ from, to })
  }
  return merged
}

/** What of `ranges` lies in none of `removed`. */
export function subtractRanges(ranges: readonly OffsetRange[], removed: readonly OffsetRange[]): OffsetRange[] {
  let rest = mergeRanges(ranges)
  for (const hole of removed) {
    rest = rest.flatMap(({ from, to }) => [
      { from, to: Math.min(to, hole.from) },
      { from: Math.max(from, hole.to), to },
    ])
    rest = mergeRanges(rest.filter((range) => range.to > range.from))
  }
  return rest
}

/** What lies both in one of `ranges` and in one of `others`. */
export function intersectRanges(ranges: readonly OffsetRange[], others: readonly OffsetRange[]): OffsetRange[] {
  return subtractRanges(ranges, subtractRanges(ranges, others))
}
