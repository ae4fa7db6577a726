import { median, type Measured } from './measure.js'

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** One row for each name: the median rate of its rounds, every round beside it. */
export function printTable(title: string, rounds: readonly Measured[]): void {
  process.stdout.write(`\n${title}\n`)
  const names = [...new Set(rounds.map((round) => round.name))]
  const width = Math.max(...names.map((name) => name.length))
  for (const name of names) {
    const own = rounds.filter((round) => round.name === name)
    const rate = count.format(median(own.map((round) => round.perSecond))).padStart(12)
    const cores = median(own.map((round) => round.cores)).toFixed(2)
    const p99 =
      own[0]?.p99Ms === undefined ? '' : ` · p50 ${own[0].p50Ms?.toFixed(2)} ms · p99 ${own[0].p99Ms.toFixed(2)} ms`
    const each = own.map((round) => count.format(round.perSecond)).join(' · ')
    process.stdout.write(`  ${name.padEnd(width)} ${rate}/s · ${cores} cores${p99}   (${each})\n`)
  }
}

export interface Goal {
  readonly ours: string
  readonly theirs: string
  readonly atLeast: number
}

/** What the goals ask for, beside what this run reached. Never fails: absolute times are noisy, ratios are for reading. */
export function printRatios(rounds: readonly Measured[], goals: readonly Goal[]): void {
  process.stdout.write('\nratios of this run\n')
  const rateOf = (name: string) => median(rounds.filter((round) => round.name === name).map((round) => round.perSecond))
  for (const goal of goals) {
    const theirs = rateOf(goal.theirs)
    if (theirs === 0) {
      process.stdout.write(`  ${goal.ours} / ${goal.theirs}: not measured\n`)
      continue
    }
    const ratio = rateOf(goal.ours) / theirs
    const verdict = ratio >= goal.atLeast ? 'reached' : 'MISSED'
    process.stdout.write(`  ${goal.ours} / ${goal.theirs}: ${ratio.toFixed(2)} (goal ${goal.atLeast}: ${verdict})\n`)
  }
}
