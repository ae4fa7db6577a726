import Table from 'cli-table3'
import type { Paint, Tone } from './paint.js'
import { printable } from './printable.js'

/** What stands in a cell; numbers to the right. Text may come from outside: it is printed escaped. */
export type Cell = string | number | null | { readonly text: string; readonly tone: Tone }

const none = '-'

/** No lines between columns, so that other programs can cut the table up too. */
const noBorders = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '' },
}

/** A table with its titles, or `empty` where there are no rows. */
export function table(
  paint: Paint,
  titles: readonly string[],
  rows: readonly (readonly Cell[])[],
  empty: string,
): string {
  if (rows.length === 0) return `${paint('quiet', empty)}\n`
  const shown = new Table({
    head: titles.map((title) => paint('title', title)),
    chars: noBorders,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    colAligns: titles.map((_, column) => (rows.every((row) => isNumeric(row[column])) ? 'right' : 'left')),
  })
  for (const row of rows) shown.push(row.map((cell) => textOf(paint, cell)))
  const lines = shown.toString().split('\n')
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n`
}

/** Names before what they name, one a line. */
export function listing(paint: Paint, rows: readonly (readonly [name: string, value: Cell])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${paint('quiet', name.padEnd(width))}  ${textOf(paint, value)}\n`).join('')
}

function isNumeric(cell: Cell | undefined): boolean {
  return typeof cell === 'number' || cell === null
}

function textOf(paint: Paint, cell: Cell): string {
  if (cell === null || cell === '') return none
  if (typeof cell === 'number') return cell.toLocaleString('en-US')
  if (typeof cell === 'string') return printable(cell)
  return paint(cell.tone, printable(cell.text))
}
