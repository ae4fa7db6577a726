import { max } from 'd3-array'
import { scaleLinear } from 'd3-scale'
import { label, textSize } from './label.js'
import { element, nothing, type Markup } from './markup.js'
import { picture } from './picture.js'
import { fitted, textWidth } from './text-width.js'
import type { Theme, Token } from './theme.js'

export interface BarRow {
  readonly name: string
  /** `undefined` where it is not known: then `text` says why. */
  readonly value: number | undefined
  /** The figure as it is read, with its unit. */
  readonly text: string
  readonly tone: Token
}

export interface Bars {
  readonly sentence: string
  readonly rows: readonly BarRow[]
  /** A line through all rows at this value, as of a goal. */
  readonly mark?: number
}

/** Of each row, in pixels: the picture is as high as its rows. */
export const rowHeight = 26
const barHeight = 14
const gap = 10

/** A row for each thing: its name, a bar that begins at 0, its figure. */
export function bars({ sentence, rows, mark }: Bars, theme: Theme, width: number): string {
  const nameRoom = Math.min(widest(rows.map(({ name }) => name)), width / 3)
  const textRoom = Math.min(widest(rows.map(({ text }) => text)), width / 2)
  const room = Math.max(0, width - nameRoom - textRoom - 2 * gap)
  const length = scaleLinear([0, Math.max(1, max(rows, ({ value }) => value) ?? 0)], [0, room])
  const left = nameRoom + gap
  const drawn = rows.map((row, index) => rowOf(row, theme, index * rowHeight, { left, width, length, nameRoom }))
  const ground = element('rect', { x: left - 0.5, y: 0, width: 1, height: rows.length * rowHeight, fill: theme.soft })
  const line = mark === undefined ? nothing : lineAt(left + length(mark), rows.length, theme)
  return picture(sentence, width, Math.max(1, rows.length) * rowHeight, [ground, line, ...drawn])
}

const lineAt = (x: number, rows: number, theme: Theme): Markup =>
  element('rect', { 'data-mark': '', x: x - 0.5, y: 0, width: 1, height: rows * rowHeight, fill: theme.soft })

const widest = (texts: readonly string[]): number => max(texts, (text) => textWidth(text, textSize.normal)) ?? 0

interface Columns {
  readonly left: number
  readonly width: number
  readonly length: (value: number) => number
  readonly nameRoom: number
}

function rowOf({ name, value, text, tone }: BarRow, theme: Theme, top: number, columns: Columns): Markup {
  const { left, width, length, nameRoom } = columns
  const size = textSize.normal
  const y = top + rowHeight / 2 + 5
  const end = value === undefined ? left : left + length(value)
  return element(
    'g',
    { 'data-row': name },
    label(fitted(name, size, nameRoom), theme, { x: nameRoom, y, anchor: 'end', size, fill: theme.ink }),
    value === undefined
      ? nothing
      : element('rect', {
          x: left,
          y: top + (rowHeight - barHeight) / 2,
          width: end - left,
          height: barHeight,
          fill: theme[tone],
        }),
    label(fitted(text, size, width - end - gap), theme, {
      x: end + gap,
      y,
      size,
      fill: value === undefined ? theme.soft : theme.ink,
    }),
  )
}
