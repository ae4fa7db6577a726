import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bars, rowHeight, type BarRow } from '../../src/pictures/bars.js'
import { declarations, dark, light, variables } from '../../src/pictures/theme.js'
import { projectRoot } from '../../test/support/source-tree.js'
import { median } from '../measure.js'
import { goalReached } from './report.js'
import { latencyRows, moreReadingRows, readingRows, restRows, sendingRows, type Goal } from './rows.js'
import type { Cell } from './report.js'

const file = 'bench/goals.svg'
const width = 960
/** What goes beyond is as good as this, in the picture; its figure stands beside it. */
const most = 2
const margin = 20
const axisRoom = 30

/** Draws how near each goal is, from the cells that `--json` wrote. */
export async function drawChart(cellsFile: string): Promise<void> {
  const lines = (await readFile(cellsFile, 'utf8')).split('\n').filter((line) => line !== '')
  const cells = lines.map((line) => JSON.parse(line) as Cell)
  const drawn = chart(cells)
  await writeFile(join(projectRoot, file), drawn)
  process.stdout.write(`${file}: ${cells.length} figures\n`)
}

function chart(cells: readonly Cell[]): string {
  const rows = [...sendingRows, ...readingRows, ...moreReadingRows, ...latencyRows, ...restRows].flatMap((row) => {
    const own = cells.filter((cell) => cell.row === row.name)
    return own.length === 0 ? [] : row.goals.flatMap((goal) => barOf(row.name, goal, own))
  })
  const reached = rows.filter(({ tone }) => tone === 'ours').length
  const sentence = `How near each goal of the benches is: ${reached} of ${rows.length} are reached.`
  const inner = bars({ sentence, rows, mark: 1 }, variables, width - 2 * margin)
  const innerHeight = rows.length * rowHeight
  const height = axisRoom + innerHeight + margin
  const style = `:root{${declarations(light)}}@media(prefers-color-scheme:dark){:root{${declarations(dark)}}}`
  const text = `font-family="system-ui, sans-serif" font-size="13" fill="var(--soft)"`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${sentence}">`,
    `<style>${style}</style><rect width="100%" height="100%" fill="var(--page)"/>`,
    `<text x="${margin}" y="21" ${text}>How near each goal is: the line is the goal, what is blue has reached it, and bars end at twice the goal.</text>`,
    `<svg x="${margin}" y="${axisRoom}" width="${width - 2 * margin}" height="${innerHeight}">${inner}</svg></svg>\n`,
  ].join('\n')
}

function barOf(name: string, goal: Goal, cells: readonly Cell[]): readonly BarRow[] {
  const reached = goalReached(goal, cells)
  if (!Number.isFinite(reached)) return []
  const isAtLeast = goal.of === 'perSecond'
  const share = isAtLeast ? reached / goal.limit : goal.limit / reached
  const beside = goal.beside === null ? units[goal.of](reached) : `${reached.toFixed(2)} × ${goal.beside}`
  const loads = median(cells.map(({ load }) => load))
  return [
    {
      name: `${shorter(name)}${isAtLeast ? '' : `, ${names[goal.of]}`}`,
      value: Math.min(most, share),
      text: `${beside}, goal ${isAtLeast ? '≥' : '≤'} ${goal.beside === null ? units[goal.of](goal.limit) : goal.limit} (load ${loads.toFixed(0)})`,
      tone: share >= 1 ? 'ours' : 'peer',
    },
  ]
}

const shorter = (name: string) => name.replace('a producer and a consumer at rest', 'at rest').replace(' handler', '')

const names: Readonly<Record<Goal['of'], string>> = {
  perSecond: 'rate',
  p50: 'p50',
  p99: 'p99',
  coreShare: 'CPU',
  heapMb: 'heap',
}

const units: Readonly<Record<Goal['of'], (value: number) => string>> = {
  perSecond: (value) => `${value.toFixed(0)}/s`,
  p50: (value) => `${value.toFixed(1)} ms`,
  p99: (value) => `${value.toFixed(1)} ms`,
  coreShare: (value) => `${(100 * value).toFixed(1)} % of a core`,
  heapMb: (value) => `${value.toFixed(0)} MB`,
}
