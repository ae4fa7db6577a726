import { addCounts, type Counts } from './coverage.js'
import { runCopying } from './copying/run-copying.js'
import { describeFailure, isCopying, runSeed } from './run-seed.js'

/** What many seeds did, together. */
export interface Totals {
  readonly passed: number
  readonly failedSeeds: readonly number[]
  readonly figures: Counts
  readonly coverage: Counts
}

export const noTotals: Totals = { passed: 0, failedSeeds: [], figures: {}, coverage: {} }

export function addTotals(one: Totals, other: Totals): Totals {
  return {
    passed: one.passed + other.passed,
    failedSeeds: [...one.failedSeeds, ...other.failedSeeds].sort((a, b) => a - b),
    figures: sumOf(one.figures, other.figures),
    coverage: sumOf(one.coverage, other.coverage),
  }
}

/** One after another. `onFailure` is told of each seed that breaks a promise; when it returns 'stop', that was the last one. */
export async function runSeeds(
  seeds: Iterable<number>,
  onFailure: (description: string) => 'go-on' | 'stop',
): Promise<Totals> {
  const figures: Record<string, number> = {}
  const coverage: Record<string, number> = {}
  const failedSeeds: number[] = []
  let passed = 0
  for (const seed of seeds) {
    const result = await runSeed(seed)
    const copied = isCopying(seed) ? await runCopying(seed) : null
    const failures = [result, copied].filter((one) => one?.outcome === 'failed')
    if (failures.length > 0 || result.outcome === 'failed') {
      failedSeeds.push(seed)
      if (failures.map((failure) => onFailure(describeFailure({ seed, ...failure }))).includes('stop')) break
      continue
    }
    if (copied?.outcome === 'passed') addCounts(coverage, copied.coverage)
    passed += 1
    const { sent, handled, repeated, commits, disturbances } = result
    const { stored, unknown, notStored, lost: lostInAp, doubled: doubledInAp } = sent
    addCounts(figures, {
      ...{ stored, unknown, notStored, lostInAp, doubledInAp },
      ...{ handled, repeated, commits, disturbances },
    })
    addCounts(coverage, result.coverage)
  }
  return { passed, failedSeeds, figures, coverage }
}

function sumOf(one: Counts, other: Counts): Counts {
  const sum: Record<string, number> = { ...one }
  addCounts(sum, other)
  return sum
}
