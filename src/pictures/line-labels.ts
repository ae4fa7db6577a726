/** Where labels stand that each want a height of their own: as near to it as they can without touching each other. */
export function spread(
  wanted: readonly number[],
  least: number,
  greatest: number,
  distance: number,
): readonly number[] {
  const order = wanted.map((_, index) => index).sort((one, other) => (wanted[one] ?? 0) - (wanted[other] ?? 0))
  const placed = [...wanted]
  let free = least
  for (const index of order) {
    placed[index] = Math.max(wanted[index] ?? 0, free)
    free = (placed[index] ?? 0) + distance
  }
  let limit = greatest
  for (const index of order.reverse()) {
    placed[index] = Math.min(placed[index] ?? 0, limit)
    limit = (placed[index] ?? 0) - distance
  }
  return placed
}
