import { median } from '../measure.js'
import type { Figures } from './figures.js'
import type { Goal, Row } from './rows.js'
import type { Competitor } from './world.js'

/** One figure of one table, with the load of the machine when it was begun. */
export interface Cell extends Figures {
  readonly suite: string
  readonly row: string
  readonly competitor: Competitor
  readonly round: number
  readonly load: number
}

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** Medians of the rounds, the rate of each round beside them, and what the goals ask for. Never fails. */
export function printRows(rows: readonly Row[], cells: readonly Cell[]): void {
  for (const row of rows) {
    const own = cells.filter((cell) => cell.row === row.name)
    const loads = own.map(({ load }) => load)
    process.stdout.write(`\n${row.name} (load ${Math.min(...loads).toFixed(0)} to ${Math.max(...loads).toFixed(0)})\n`)
    for (const competitor of row.competitors) {
      const rounds = own.filter((cell) => cell.competitor === competitor)
      if (rounds.length > 0) process.stdout.write(`  ${competitor.padEnd(13)}${line(rounds)}\n`)
    }
    for (const goal of row.goals) process.stdout.write(goalLine(goal, own))
  }
}

function line(rounds: readonly Cell[]): string {
  const of = (name: keyof Figures, show: (value: number) => string) => {
    const values = rounds.map((round) => round[name]).filter((value) => value !== undefined)
    return values.length === 0 ? [] : [show(median(values))]
  }
  const rates = rounds.map(({ perSecond }) => count.format(perSecond)).join(' · ')
  const isRate = rounds.some(({ perSecond }) => perSecond > 0)
  return [
    ...(isRate ? [`${of('perSecond', count.format)[0] ?? ''}/s (${rates})`] : []),
    ...of('cpuMicros', (value) => `${value.toFixed(2)} µs of CPU a record`),
    ...of('p50', (value) => `p50 ${value.toFixed(2)} ms`),
    ...of('p99', (value) => `p99 ${value.toFixed(2)} ms`),
    ...of('p999', (value) => `p99.9 ${value.toFixed(2)} ms`),
    ...of('missing', (value) => (value > 0 ? `${count.format(value)} not there 5 s later` : 'all there')),
    ...of('coreShare', (value) => `${(100 * value).toFixed(2)} % of a core`),
    ...of('writesPerSecond', (value) => `${value.toFixed(1)} writes/s`),
    ...of('heapMb', (value) => `heap ${value.toFixed(1)} MB`),
    ...of('rssMb', (value) => `resident ${value.toFixed(0)} MB`),
  ].join(' · ')
}

/** tidemark's figure, or its ratio to the competitor's; not finite where one of them was not measured. */
export function goalReached({ of, beside }: Goal, cells: readonly Cell[]): number {
  const figure = (competitor: Competitor) =>
    median(cells.filter((cell) => cell.competitor === competitor).map((cell) => cell[of] ?? Number.NaN))
  return beside === null ? figure('tidemark') : figure('tidemark') / figure(beside)
}

function goalLine(goal: Goal, cells: readonly Cell[]): string {
  const { of, beside, limit } = goal
  const isAtLeast = of === 'perSecond'
  const reached = goalReached(goal, cells)
  const what = beside === null ? of : `${of} / ${beside}`
  if (!Number.isFinite(reached)) return `  ${what}: not measured\n`
  const isReached = isAtLeast ? reached >= limit : reached <= limit
  const wanted = `goal ${isAtLeast ? 'at least' : 'at most'} ${limit}`
  return `  ${what}: ${reached.toFixed(2)} (${wanted}: ${isReached ? 'reached' : 'MISSED'})\n`
}
