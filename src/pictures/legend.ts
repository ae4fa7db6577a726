import { label, textSize } from './label.js'
import { element, type Attributes, type Markup } from './markup.js'
import { fitted, textWidth } from './text-width.js'
import { textTone, type Theme, type Token } from './theme.js'

/** What is said of a line where its end has no room for words. */
export interface LegendEntry {
  readonly label: string
  readonly tone: Token
  /** How the line is drawn, so that a piece of it can stand beside its words. */
  readonly stroke: Attributes
}

/** Entries in rows: in what a title leaves of its row if all fit there, else in rows of their own under it. */
export interface Legend {
  /** Of the rows under the title. */
  readonly height: number
  readonly entries: readonly (LegendEntry & { readonly x: number; readonly row: number })[]
}

const rowHeight = 16
const pieceWidth = 16
const beforeWords = 4
const apart = 14

export function legendOf(entries: readonly LegendEntry[], titleWidth: number, width: number): Legend {
  const widths = entries.map(({ label: words }) => Math.min(width, wordsAt + textWidth(words, textSize.least, 'bold')))
  const together = widths.reduce((sum, each) => sum + each, apart * Math.max(0, entries.length - 1))
  const besideTitle = titleWidth + apart + together <= width
  let [x, row] = besideTitle ? [width - together, 0] : [0, 1]
  const placed = entries.map((entry, index) => {
    const room = widths[index] ?? 0
    if (x > 0 && x + room > width) [x, row] = [0, row + 1]
    const place = { ...entry, label: fitted(entry.label, textSize.least, room - wordsAt, 'bold'), x, row }
    x += room + apart
    return place
  })
  return { height: entries.length === 0 ? 0 : row * rowHeight, entries: placed }
}

const wordsAt = pieceWidth + beforeWords

/** `y` is that of the line on which the title's letters stand. */
export function legendShapes({ entries }: Legend, theme: Theme, y: number): Markup {
  const shapes = entries.flatMap(({ label: words, tone, stroke, x, row }) => {
    const ground = y + row * rowHeight
    return [
      element('path', { ...stroke, d: `M${x + 2},${ground - 4}H${x + pieceWidth - 2}` }),
      label(words, theme, { x: x + wordsAt, y: ground, weight: 'bold', fill: theme[textTone(tone)] }),
    ]
  })
  return element('g', { 'data-part': 'labels' }, ...shapes)
}
