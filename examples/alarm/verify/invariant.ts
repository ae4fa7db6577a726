import type { Evidence } from './evidence.js'

/** What a check saw. */
export interface Finding {
  /** In words and numbers. */
  readonly looked: string
  /** What is wrong, one a line; none: it holds. */
  readonly wrong: readonly string[]
  /** What it could not look at, and who does. */
  readonly unseen?: string
}

export interface Invariant {
  readonly number: number
  readonly promise: string
  /** `always`: also while services run, and right after one died. */
  readonly holds: 'always' | 'at rest'
  /** `looked` is empty where there is nothing to look at. */
  readonly check: (evidence: Evidence) => Finding
}

/** Values that stand there more than once. */
export function repeated(values: readonly string[]): string[] {
  const seen = new Set<string>()
  return [...new Set(values.filter((value) => seen.size === seen.add(value).size))]
}

/** What is in one and not in the other. */
export function without(values: Iterable<string>, others: ReadonlySet<string>): string[] {
  return [...values].filter((value) => !others.has(value))
}
