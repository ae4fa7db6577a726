import { counterpartOf } from './other-clients.js'

/** What to do about an option that there is not. */
export function remedyFor(name: string, names: readonly string[]): string {
  const counterpart = counterpartOf(name, names)
  if (counterpart !== undefined) return counterpart
  const meant = nearest(name, names)
  return meant === undefined ? `take it out; options are ${names.join(', ')}` : `did you mean ${meant}?`
}

/** The name that was most likely meant, or `undefined` when none is near. */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  const letters = normalised(name)
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(letters.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = distanceOf(letters, normalised(candidate))
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** `linger.ms`, `LINGER_MS` and `lingerMs` are one name. */
function normalised(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

/** Edits between two names; a name that begins with the other counts as two. */
function distanceOf(one: string, other: string): number {
  const edits = editDistance(one, other)
  const beginsAlike = one.length >= 4 && other.length >= 4 && (one.startsWith(other) || other.startsWith(one))
  return beginsAlike ? Math.min(edits, 2) : edits
}

/** Levenshtein distance, one row at a time. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const replaced = at(row, j - 1) + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, at(row, j) + 1, at(next, j - 1) + 1))
    }
    row = next
  }
  return at(row, other.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Infinity
}
