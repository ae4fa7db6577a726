import stringWidth from 'string-width'
import type { Paint, Tone } from './paint.js'
import { printable } from '../text/printable.js'

/** What stands in a cell; numbers to the right. Text may come from outside: it is printed escaped. */
export type Cell = string | number | null | { readonly text: string; readonly tone: Tone }

const none = '-'

/** Between columns. No lines, so that other programs can cut the table up too. */
const gap = '  '

/**
 * A table with its titles, or `empty` where there are no rows. Where the screen is too narrow for it each row is a block with
 * a line for each cell: a table whose lines are broken nobody can read. Takes time by the number of its cells, and no more.
 */
export function table(
  paint: Paint,
  titles: readonly string[],
  rows: readonly (readonly Cell[])[],
  empty: string,
): string {
  if (rows.length === 0) return `${paint('quiet', empty)}\n`
  const head = titles.map((text): ShownCell => ({ text, tone: 'title' }))
  const shown = [head, ...rows.map((row) => row.map(shownCell))]
  const columns = titles.map((_, column) => ({
    isRight: rows.every((row) => isNumeric(row[column])),
    width: shown.reduce((most, row) => Math.max(most, widthOf(row[column]?.text ?? '')), 0),
  }))
  const width = columns.reduce((sum, column) => sum + column.width, gap.length * (columns.length - 1))
  if (width > (paint.columns ?? Infinity)) return rows.map((row) => listing(paint, named(titles, row))).join('\n')
  return shown.map((row) => `${lineOf(paint, row, columns)}\n`).join('')
}

function named(titles: readonly string[], row: readonly Cell[]): readonly (readonly [string, Cell])[] {
  return titles.map((title, index) => [title, row[index] ?? null] as const)
}

interface Column {
  readonly isRight: boolean
  readonly width: number
}

function lineOf(paint: Paint, row: readonly ShownCell[], columns: readonly Column[]): string {
  const cells = row.map(({ text, tone }, index) => {
    const { isRight, width } = columns[index] as Column
    const space = ' '.repeat(width - widthOf(text))
    return isRight ? `${space}${paint(tone, text)}` : `${paint(tone, text)}${index === row.length - 1 ? '' : space}`
  })
  return cells.join(gap)
}

// Most is; to measure any other text takes a hundred times as long.
const plainText = /^[ -~]*$/

/** In columns of a terminal, where a letter may be none or two wide. */
function widthOf(text: string): number {
  return plainText.test(text) ? text.length : stringWidth(text)
}

/** Names before what they name, one a line. */
export function listing(paint: Paint, rows: readonly (readonly [name: string, value: Cell])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${paint('quiet', name.padEnd(width))}  ${textOf(paint, value)}\n`).join('')
}

function isNumeric(cell: Cell | undefined): boolean {
  return typeof cell === 'number' || cell === null
}

interface ShownCell {
  readonly text: string
  readonly tone: Tone
}

/** Without what a terminal would carry out. */
function shownCell(cell: Cell): ShownCell {
  if (cell === null || cell === '') return { text: none, tone: 'plain' }
  if (typeof cell === 'number') return { text: cell.toLocaleString('en-US'), tone: 'plain' }
  if (typeof cell === 'string') return { text: printable(cell), tone: 'plain' }
  return { text: printable(cell.text), tone: cell.tone }
}

function textOf(paint: Paint, cell: Cell): string {
  const { text, tone } = shownCell(cell)
  return paint(tone, text)
}
