import { scaleLog } from 'd3-scale'
import { label, textSize } from '../../src/pictures/label.js'
import { element, nothing, words, type Markup } from '../../src/pictures/markup.js'
import { picture } from '../../src/pictures/picture.js'
import { textWidth } from '../../src/pictures/text-width.js'
import { dark, declarations, light, variables as theme } from '../../src/pictures/theme.js'
import {
  figureNames,
  goalReached,
  goalText,
  isReached,
  loadOf,
  nameOf,
  ratesOf,
  reachedText,
  shareOf,
  yardstickOf,
  type Cell,
} from './report.js'
import { rowsOf, userSuites, type Goal, type UserSuite } from './rows.js'

const width = 960
const margin = 20
/** Of the plot: goals stand to its left, figures to its right. */
const [left, right] = [290, 690]
const heights = { top: 106, suite: 34, row: 24, goal: 32, gap: 6, bottom: 62 } as const

/** As a share of the goal. What goes beyond is cut off, with a mark and its figure beside it. */
const [least, most] = [1 / 8, 8]
const at = scaleLog([least, most], [left, right]).clamp(true)
const ticks: readonly (readonly [share: number, text: string])[] = [
  [1 / 8, '⅛'],
  [1 / 4, '¼'],
  [1 / 2, '½'],
  [1, 'goal'],
  [2, '2 ×'],
  [4, '4 ×'],
  [8, '8 ×'],
]

const suiteNames: Readonly<Record<UserSuite, string>> = {
  sending: 'Sending',
  reading: 'Reading',
  latency: 'End to end',
  rest: 'At rest',
}

/** One goal of one row, as far as it was measured. */
interface Measured {
  readonly row: string
  readonly goal: Goal
  readonly reached: number | null
}

/**
 * How near each goal is, on one logarithmic scale: tidemark's median as a solid bar, each round as a dot, the yardstick of
 * the goal as a dashed outline where it stands on the same scale.
 */
export function goalPicture(cells: readonly Cell[]): string {
  const drawn: Markup[] = []
  const all: Measured[] = []
  let y: number = heights.top
  for (const suite of userSuites) {
    const rows = rowsOf[suite].filter(({ goals }) => goals.length > 0)
    const shown = rows.filter(({ name, short }) => short || cells.some((cell) => cell.row === name))
    if (shown.length === 0) continue
    drawn.push(label(suiteNames[suite], theme, { x: margin, y: y + 23, size: 16, fill: theme.ink, weight: 'bold' }))
    y += heights.suite
    for (const { name, goals } of shown) {
      drawn.push(headOf(name, cells, y))
      y += heights.row
      for (const goal of goals) {
        const measured = { row: name, goal, reached: goalReached(goal, name, cells) }
        all.push(measured)
        drawn.push(lineOf(measured, cells, y))
        y += heights.goal
      }
      y += heights.gap
    }
  }
  const [sentence, farthest] = [sentenceOf(all), farthestOf(all)]
  const style = `:root{${declarations(light)}}@media(prefers-color-scheme:dark){:root{${declarations(dark)}}}`
  return picture(sentence, width, y + heights.bottom, [
    element('style', {}, words(style)),
    element('rect', { width: '100%', height: '100%', fill: theme.page }),
    label(sentence, theme, { x: margin, y: 36, size: 20, fill: theme.ink }),
    label(farthest, theme, { x: margin, y: 58, size: textSize.body, fill: theme.soft }),
    grid(y),
    ...drawn,
    ...captionOf(cells, y),
  ])
}

function sentenceOf(all: readonly Measured[]): string {
  const known = all.flatMap(({ row, goal, reached }) => (reached === null ? [] : [{ row, goal, reached }]))
  const reached = known.filter((one) => isReached(one.goal, one.reached)).length
  const unknown = all.length - known.length
  return `${reached} of ${known.length} goals are reached${unknown === 0 ? '' : `; ${unknown} were not measured`}.`
}

/** The goal that most is missing of. */
function farthestOf(all: readonly Measured[]): string {
  let farthest: { readonly text: string; readonly share: number } | null = null
  for (const { row, goal, reached } of all) {
    if (reached === null || isReached(goal, reached)) continue
    const share = shareOf(goal, reached)
    const text = `Farthest from its goal: ${row}, ${askedOf(goal)}: ${reachedText(goal, reached)}.`
    if (farthest === null || share < farthest.share) farthest = { text, share }
  }
  return farthest?.text ?? ''
}

const askedOf = (goal: Goal) => [figureNames[goal.of], goalText(goal)].join(' ').trim()

function grid(end: number): Markup {
  const lines = ticks.map(([share, text]) => {
    const isGoal = share === 1
    const [x, thick] = [at(share), isGoal ? 2 : 1]
    return element(
      'g',
      isGoal ? { 'data-goal': '' } : {},
      element('rect', {
        ...{ x: x - thick / 2, y: heights.top - 8, width: thick, height: end - heights.top + 12 },
        fill: isGoal ? theme.ink : theme.line,
      }),
      label(text, theme, { x, y: heights.top - 15, anchor: 'middle', fill: isGoal ? theme.ink : theme.soft }),
    )
  })
  return element('g', {}, ...lines)
}

function headOf(name: string, cells: readonly Cell[], y: number): Markup {
  const own = cells.filter((cell) => cell.row === name)
  return element(
    'g',
    {},
    label(name, theme, { x: margin, y: y + 17, size: textSize.normal, fill: theme.ink }),
    own.length === 0
      ? nothing
      : label(`load ${loadOf(own)}`, theme, { x: width - margin, y: y + 17, anchor: 'end', fill: theme.soft }),
  )
}

const ownBar = { top: 3, height: 11 } as const
const peerBar = { top: 19.5, height: 7 } as const

function lineOf({ row, goal, reached }: Measured, cells: readonly Cell[], y: number): Markup {
  const goalLabel = label(askedOf(goal), theme, { x: left - 14, y: y + 15, anchor: 'end', fill: theme.soft })
  if (reached === null) {
    const text = label('– not measured', theme, { x: right + 14, y: y + 15, fill: theme.soft })
    return element('g', { 'data-row': row }, goalLabel, text)
  }
  const share = shareOf(goal, reached)
  const rounds = [...new Set(cells.filter((cell) => cell.row === row).map(({ round }) => round))]
  const dots = rounds.flatMap((round) => {
    const one = goalReached(goal, row, cells, round)
    return one === null ? [] : [dotAt(shareOf(goal, one), y + ownBar.top + ownBar.height / 2)]
  })
  return element(
    'g',
    { 'data-row': row },
    goalLabel,
    element('rect', {
      'data-bar': 'ours',
      ...{ x: left, y: y + ownBar.top, width: at(share) - left, height: ownBar.height },
      fill: theme.ours,
    }),
    share > most ? cutAt(right - 12, y + ownBar.top, ownBar.height) : nothing,
    peerOf(goal, row, cells, y),
    ...(rounds.length > 1 ? dots : []),
    verdictOf(goal, reached, y),
    label(ratesOf(goal, row, cells), theme, { x: right + 14, y: y + 27, fill: theme.soft }),
  )
}

/** Where the yardstick stands itself: a goal of 4 × librdkafka has it at a quarter. */
function peerOf(goal: Goal, row: string, cells: readonly Cell[], y: number): Markup {
  const yardstick = yardstickOf(goal, row, cells)
  if (yardstick === null) return nothing
  const share = shareOf(goal, 1)
  const name = nameOf(yardstick.competitor)
  const end = at(share)
  const isCut = share < least
  const text = isCut ? `${name}: ${goal.limit} × less than the goal` : name
  return element(
    'g',
    {},
    isCut
      ? nothing
      : element('rect', {
          'data-bar': 'peer',
          ...{ x: left + 0.5, y: y + peerBar.top, width: end - left - 0.5, height: peerBar.height },
          ...{ fill: 'none', stroke: theme.peer, 'stroke-dasharray': '4 2' },
        }),
    label(text, theme, { x: end + 6, y: y + 27.5, fill: theme.peer }),
  )
}

const dotAt = (share: number, y: number): Markup =>
  element('circle', { cx: at(share), cy: y, r: 3, fill: theme.page, stroke: theme.ours, 'stroke-width': 1.5 })

/** Two strokes of the page through a bar: it would go on. */
const cutAt = (x: number, y: number, height: number): Markup =>
  element('path', {
    d: `M${x} ${y + height + 1}l4 ${-height - 2}M${x + 5} ${y + height + 1}l4 ${-height - 2}`,
    ...{ stroke: theme.page, 'stroke-width': 2, fill: 'none' },
  })

function verdictOf(goal: Goal, reached: number, y: number): Markup {
  const isGood = isReached(goal, reached)
  const mark = isGood ? '●' : '▲'
  const text = `${reachedText(goal, reached)}${isGood ? '' : ', missed'}`
  const x = right + 14
  return element(
    'g',
    {},
    label(mark, theme, { x, y: y + 13, size: textSize.normal, fill: isGood ? theme.ok : theme.act }),
    label(text, theme, {
      x: x + textWidth('●', textSize.normal) + 3,
      ...{ y: y + 13, size: textSize.normal, fill: theme.ink, weight: 'bold' },
    }),
  )
}

function captionOf(cells: readonly Cell[], y: number): readonly Markup[] {
  const runs = cells.map(({ run }) => run?.slice(0, 10) ?? 'a day that was not noted').sort()
  const days = [...new Set([runs[0], runs.at(-1)])].join(' to ')
  const most = Math.max(0, ...cells.map(({ round }) => round))
  const cores = [...new Set(cells.flatMap((cell) => cell.cores ?? []))].join(' or ')
  const kafka = [...new Set(cells.flatMap((cell) => cell.kafka ?? []))].join(' and ')
  const lines = [
    `Solid: tidemark, median of ${most} ${most === 1 ? 'round' : 'rounds, a dot for each'}. Dashed: who the goal is set beside, at its own place. The scale is logarithmic.`,
    `Kafka ${kafka}, one node, beside its clients on ${cores} cores; all clients on the same Node. Measured ${days}.`,
  ]
  return lines.map((text, index) => label(text, theme, { x: margin, y: y + 28 + 18 * index, fill: theme.soft }))
}
