import { tdHeader } from '../message/headers.js'
import type { Letter } from '../redrive/letter.js'

/** Headers are data from outside: any number of names must not fill the memory. */
const mostNames = 100
const longestName = 1_000

const views = {
  byReason: (letter: Letter) => letter.reason,
  byError: (letter: Letter) => letter.errorClasses[0] ?? null,
  byOrigin: (letter: Letter) => letter.origin?.topic ?? null,
  byGroup: (letter: Letter) => letter.group,
  byWriter: (letter: Letter) => letter.writer,
} as const

export type LetterView = keyof typeof views

/** Names with their counts, the most first; `none` where a letter does not tell, `other` beyond 100 names, or 1,000 characters. */
export type NameCounts = Readonly<Record<string, number>>

export interface LetterCounts extends Readonly<Record<LetterView, NameCounts>> {
  readonly letters: number
  /** Were redriven before, and came back. */
  readonly cameBack: number
  /** When letters failed last; `null` where there is none. */
  readonly oldestAt: number | null
  readonly newestAt: number | null
}

/** Counts letters by what their headers tell. */
export class LetterCounter {
  readonly #counts = new Map(Object.keys(views).map((view) => [view as LetterView, new Map<string, number>()]))
  #letters = 0
  #cameBack = 0
  #oldestAt = Infinity
  #newestAt = -Infinity

  add(letter: Letter, failedAt: number): void {
    this.#letters += 1
    if (letter.hops > 0) this.#cameBack += 1
    this.#oldestAt = Math.min(this.#oldestAt, failedAt)
    this.#newestAt = Math.max(this.#newestAt, failedAt)
    for (const [view, counts] of this.#counts) count(counts, views[view](letter) ?? 'none')
  }

  counts(): LetterCounts {
    const found = Object.fromEntries([...this.#counts].map(([view, counts]) => [view, mostFirst(counts)]))
    return {
      letters: this.#letters,
      cameBack: this.#cameBack,
      oldestAt: this.#letters === 0 ? null : this.#oldestAt,
      newestAt: this.#letters === 0 ? null : this.#newestAt,
      ...(found as Record<LetterView, NameCounts>),
    }
  }
}

/** When it became a letter, as it says itself; else when it was written. */
export function failedAtOf(letter: Letter, timestamp: number): number {
  const told = Date.parse(letter.headers.get(tdHeader.lastFailedAt) ?? '')
  return Number.isNaN(told) ? timestamp : told
}

function count(counts: Map<string, number>, name: string): void {
  const isTold = counts.has(name) || (counts.size < mostNames && name.length <= longestName)
  const known = isTold ? name : 'other'
  counts.set(known, (counts.get(known) ?? 0) + 1)
}

function mostFirst(counts: ReadonlyMap<string, number>): NameCounts {
  // A name from outside may be __proto__, which fromEntries takes as any other.
  return Object.fromEntries([...counts].sort((one, other) => other[1] - one[1]))
}
