import { median, type Measured } from './measure.js'

/** The same measure of both versions in one round. */
export interface Pair {
  readonly before: Measured
  readonly after: Measured
}

export interface Comparison {
  readonly name: string
  readonly before: Spread
  readonly after: Spread
  /** Of the rates, round by round. */
  readonly ratio: Spread
  /** Bytes for each record. */
  readonly garbageBefore: number
  readonly garbageAfter: number
  /** Microseconds of CPU for each record, and former over present: what other processes do hardly shows here. */
  readonly cpuBefore: number
  readonly cpuAfter: number
  readonly cpuRatio: Spread
  readonly verdict: 'ok' | 'slower, within the spread' | 'SLOWER'
}

interface Spread {
  readonly least: number
  readonly median: number
  readonly most: number
}

/** What is slower than this share of the former rate is told. */
const slowest = 0.95

export function compare(pairs: readonly Pair[]): readonly Comparison[] {
  const names = [...new Set(pairs.map(({ before }) => before.name))]
  return names.map((name) => {
    const own = pairs.filter(({ before }) => before.name === name)
    const ratios = own.map(({ before, after }) => after.perSecond / before.perSecond)
    return {
      name,
      before: spreadOf(own.map(({ before }) => before.perSecond)),
      after: spreadOf(own.map(({ after }) => after.perSecond)),
      ratio: spreadOf(ratios),
      garbageBefore: median(own.map(({ before }) => before.garbage)),
      garbageAfter: median(own.map(({ after }) => after.garbage)),
      cpuBefore: median(own.map(({ before }) => cpuOf(before))),
      cpuAfter: median(own.map(({ after }) => cpuOf(after))),
      cpuRatio: spreadOf(own.map(({ before, after }) => cpuOf(before) / cpuOf(after))),
      verdict: verdictOf(ratios),
    }
  })
}

const cpuOf = ({ cores, perSecond }: Measured): number => (cores * 1e6) / perSecond

/** One round may be lucky: the best one saves nobody. */
function verdictOf(ratios: readonly number[]): Comparison['verdict'] {
  if (median(ratios) >= slowest) return 'ok'
  const secondBest = [...ratios].sort((a, b) => b - a)[1] ?? slowest
  return secondBest < slowest ? 'SLOWER' : 'slower, within the spread'
}

function spreadOf(values: readonly number[]): Spread {
  return { least: Math.min(...values), median: median(values), most: Math.max(...values) }
}

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export function printComparison(title: string, comparisons: readonly Comparison[]): void {
  process.stdout.write(`\n${title}: medians, in brackets the least and the most\n`)
  const width = Math.max(...comparisons.map(({ name }) => name.length))
  for (const { name, before, after, ratio, garbageBefore, garbageAfter, ...more } of comparisons) {
    process.stdout.write(
      `  ${name.padEnd(width)}  ${rates(before)} → ${rates(after)} records/s
` +
        `  ${''.padEnd(width)}  ratio ${shares(ratio)} ${more.verdict} · ` +
        `CPU ${more.cpuBefore.toFixed(2)} → ${more.cpuAfter.toFixed(2)} µs, ratio ${shares(more.cpuRatio)} · ` +
        `garbage ${whole.format(garbageBefore)} → ${whole.format(garbageAfter)} bytes a record
`,
    )
  }
  const slower = comparisons.filter(({ verdict }) => verdict === 'SLOWER').length
  process.stdout.write(`  ${slower} of ${comparisons.length} below ${slowest} beyond the spread\n`)
}

const rates = ({ least, median: middle, most }: Spread): string =>
  `${whole.format(middle)} (${whole.format(least)}–${whole.format(most)})`

const shares = ({ least, median: middle, most }: Spread): string =>
  `${middle.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`
