import type { ComponentChildren } from 'preact'
import type { Level } from '../../model/verdict.js'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => ComponentChildren
  /** Figures stand on the right. */
  readonly isFigure?: boolean
  /** In a card it stands on a line of its own, without its title. */
  readonly isHead?: boolean
}

interface Parts<Row> {
  /** What the table is, for who does not see it. */
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  readonly levelOf?: (row: Row) => Level
  /** All rows there are, where these are the first of them. */
  readonly all?: number
}

/** A table, and on a narrow screen a card for each row. The roles are named: drawn as cards it would lose its own. */
export function Table<Row>({ caption, columns, rows, keyOf, levelOf, all }: Parts<Row>) {
  return (
    <table role="table" aria-label={caption} aria-rowcount={(all ?? rows.length) + 1}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ title, isFigure }) => (
            <th key={title} role="columnheader" scope="col" class={isFigure === true ? 'figure' : ''}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={keyOf(row)} role="row" data-row data-level={levelOf?.(row)}>
            {columns.map(({ title, cell, isFigure, isHead }) => (
              <td
                key={title}
                role="cell"
                data-title={title}
                class={`${isFigure === true ? 'figure' : ''} ${isHead === true ? 'head' : ''}`}
              >
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
