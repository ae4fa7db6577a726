import { median } from '../measure.js'
import type { Figures } from './figures.js'
import { allRows, type Goal, type Row } from './rows.js'
import type { Competitor } from './world.js'

/** One figure of one table, with the load of the machine when it was begun. */
export interface Cell extends Figures {
  readonly suite: string
  readonly row: string
  readonly competitor: Competitor
  readonly round: number
  readonly load: number
  /** When its run began: names the run. */
  readonly run: string
  /** Of the machine. */
  readonly cores: number
  readonly kafka: string
}

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** Medians of the rounds, the rate of each round beside them, and what the goals ask for. Never fails. */
export function printRows(rows: readonly Row[], cells: readonly Cell[]): void {
  for (const row of rows) {
    const own = cells.filter((cell) => cell.row === row.name)
    process.stdout.write(`\n${row.name} (load ${loadOf(own)})\n`)
    for (const competitor of row.competitors) {
      const rounds = own.filter((cell) => cell.competitor === competitor)
      if (rounds.length > 0) process.stdout.write(`  ${competitor.padEnd(13)}${line(rounds)}\n`)
    }
    for (const goal of row.goals) process.stdout.write(goalLine(goal, row.name, cells))
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

/** A competitor's figure of a row: the median of its rounds, or of one round. */
function figureOf(
  cells: readonly Cell[],
  row: string,
  competitor: Competitor,
  of: Goal['of'],
  round?: number,
): number | undefined {
  const isMeant = (cell: Cell) =>
    cell.row === row && cell.competitor === competitor && (round === undefined || cell.round === round)
  const values = cells.filter(isMeant).flatMap((cell) => cell[of] ?? [])
  return values.length === 0 ? undefined : median(values)
}

const peers = ['kafkajs', 'platformatic', 'librdkafka'] as const

/** Whom a goal sets tidemark beside, and what that one reached. */
export interface Yardstick {
  readonly competitor: Competitor
  readonly figure: number
}

/** `null` where it was not measured, or the goal is a figure of its own. */
export function yardstickOf(goal: Goal, row: string, cells: readonly Cell[]): Yardstick | null {
  const { beside, besideRow = row, of } = goal
  if (beside === null) return null
  const sought = beside === 'best' ? peers : [beside]
  const measured = sought.flatMap((competitor) => {
    const figure = figureOf(cells, besideRow, competitor, of)
    return figure === undefined ? [] : [{ competitor, figure }]
  })
  const isBetter = (a: number, b: number) => (isAtLeast(goal) ? a > b : a < b)
  return measured.reduce<Yardstick | null>(
    (best, one) => (best === null || isBetter(one.figure, best.figure) ? one : best),
    null,
  )
}

const isAtLeast = ({ of }: Goal) => of === 'perSecond'

/** tidemark's figure, or its ratio to the yardstick's; of all rounds or of one. `null` where something was not measured. */
export function goalReached(goal: Goal, row: string, cells: readonly Cell[], round?: number): number | null {
  const own = figureOf(cells, row, 'tidemark', goal.of, round)
  if (own === undefined) return null
  if (goal.beside === null) return own
  const yardstick = yardstickOf(goal, row, cells)
  if (yardstick === null) return null
  return own / (figureOf(cells, goal.besideRow ?? row, yardstick.competitor, goal.of, round) ?? yardstick.figure)
}

/** How near the goal is: 1 is reached, 2 is twice as good. */
export const shareOf = (goal: Goal, reached: number) => (isAtLeast(goal) ? reached / goal.limit : goal.limit / reached)

export const isReached = (goal: Goal, reached: number) => shareOf(goal, reached) >= 1

/** As it is read. */
export const nameOf = (competitor: Competitor) => (competitor === 'java' ? 'Java' : competitor)

/** What is asked, as it is read: `≥ 4 × librdkafka`. */
export function goalText(goal: Goal): string {
  const { beside, besideRow, limit, of } = goal
  const sign = isAtLeast(goal) ? '≥' : '≤'
  if (beside === null) return `${sign} ${inUnit[of](limit).replace(/\.0+ /, ' ')}`
  const whom = beside === 'best' ? 'best peer' : nameOf(beside)
  return `${sign} ${limit === 1 ? '' : `${limit} × `}${whom}${besideRow === undefined ? '' : ' in bulk'}`
}

/** What was reached, as it is read: 79.6 is not 80. */
export const reachedText = (goal: Goal, reached: number) =>
  goal.beside === null ? inUnit[goal.of](reached) : `${reached.toFixed(reached < 20 ? 2 : reached < 100 ? 1 : 0)} ×`

const inUnit: Readonly<Record<Goal['of'], (value: number) => string>> = {
  perSecond: (value) => `${count.format(value)}/s`,
  p50: (value) => `${value.toFixed(2)} ms`,
  p99: (value) => `${value.toFixed(value < 3 ? 2 : 1)} ms`,
  coreShare: (value) => `${(100 * value).toFixed(2)} % of a core`,
  heapMb: (value) => `${value.toFixed(0)} MB`,
}

/** What of a row a goal looks at, where it has several figures. */
export const figureNames: Readonly<Record<Goal['of'], string>> = {
  perSecond: '',
  p50: 'p50',
  p99: 'p99',
  coreShare: 'CPU',
  heapMb: 'heap',
}

function goalLine(goal: Goal, row: string, cells: readonly Cell[]): string {
  const reached = goalReached(goal, row, cells)
  const what = `  goal ${[figureNames[goal.of], goalText(goal)].join(' ').trim()}`
  if (reached === null) return `${what}: not measured\n`
  return `${what}: ${reachedText(goal, reached)}, ${isReached(goal, reached) ? 'reached' : 'MISSED'}\n`
}

/** All goals as a table of Markdown, each round beside the median. */
export function goalTable(cells: readonly Cell[]): string {
  const lines = allRows.flatMap(({ name, goals }) => {
    const own = cells.filter((cell) => cell.row === name)
    if (own.length === 0) return []
    const rounds = [...new Set(own.map(({ round }) => round))]
    return goals.map((goal) => {
      const what = [name, figureNames[goal.of]].filter((part) => part !== '').join(', ')
      const reached = goalReached(goal, name, cells)
      if (reached === null) return `| ${what} | ${goalText(goal)} | not measured | | | |`
      const each = rounds.flatMap((round) => goalReached(goal, name, cells, round) ?? [])
      const verdict = isReached(goal, reached)
        ? reachedText(goal, reached)
        : `**${reachedText(goal, reached)}**, missed`
      const rates = ratesOf(goal, name, cells)
      const rest = [each.map((one) => reachedText(goal, one)).join(' · '), rates, loadOf(own)].join(' | ')
      return `| ${what} | ${goalText(goal)} | ${verdict} | ${rest} |`
    })
  })
  return `| row | goal | median | rounds | tidemark · beside | load |\n|---|---|---|---|---|---|\n${lines.join('\n')}\n`
}

/** Both figures behind a ratio; empty where the goal is a figure of its own. */
export function ratesOf(goal: Goal, row: string, cells: readonly Cell[]): string {
  const yardstick = yardstickOf(goal, row, cells)
  const own = figureOf(cells, row, 'tidemark', goal.of)
  if (own === undefined || yardstick === null) return ''
  const [ours, theirs] = [own, yardstick.figure].map(inUnit[goal.of]) as [string, string]
  return `${ours} · ${theirs} (${nameOf(yardstick.competitor)})`
}

/** Of the machine, from the least to the most. */
export function loadOf(cells: readonly Cell[]): string {
  const loads = cells.map(({ load }) => load)
  const [least, most] = [Math.min(...loads), Math.max(...loads)].map((load) => load.toFixed(0))
  return least === most ? `${least}` : `${least} to ${most}`
}

/** Cells that were written to a file one run after another: of each row those of the last run that measured it. */
export function lastOfEachRow(cells: readonly Cell[]): readonly Cell[] {
  const last = new Map(cells.map(({ row, run }) => [row, run]))
  return cells.filter(({ row, run }) => last.get(row) === run)
}
