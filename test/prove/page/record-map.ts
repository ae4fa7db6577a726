import type { Theme } from '../../../src/pictures/theme.js'
import type { ProofData } from '../proof-data.js'

export const mapColumns = 600
/** Of nothing: behind the last record. */
const blank = 8

export interface MapShape {
  readonly columns: number
  readonly rows: number
  /** Where a record is; time runs to the right, partitions lie one below the other. */
  place(record: number): { readonly column: number; readonly row: number }
}

/** Each column is as long as its records take to be due; within it each partition has its rows. */
export function mapShape({ records, partitions }: ProofData['load']): MapShape {
  const perColumn = Math.ceil(records / mapColumns / partitions) * partitions
  const rowsOfPartition = perColumn / partitions
  return {
    columns: mapColumns,
    rows: perColumn,
    place(record) {
      const within = record % perColumn
      const row = (within % partitions) * rowsOfPartition + Math.floor(within / partitions)
      return { column: Math.floor(record / perColumn), row }
    },
  }
}

/** One state for each pixel, row by row, of the columns from `from` to before `to`. */
export function pixelsOf(map: Uint8Array, shape: MapShape, from: number, to: number): Uint8Array {
  const width = to - from
  const pixels = new Uint8Array(width * shape.rows).fill(blank)
  map.forEach((state, record) => {
    const { column, row } = shape.place(record)
    if (column >= from && column < to) pixels[row * width + column - from] = state
  })
  return pixels
}

/** Colours by state. What was not stored and said so is as good as empty. */
export function mapPalette(theme: Theme): readonly string[] {
  const { stored, lost, doubled, unknown, panel, watch, line, page } = theme
  return [stored, lost, doubled, doubled, unknown, panel, watch, line, page]
}

/** How many records of these states each column has. */
export function columnCounts(map: Uint8Array, shape: MapShape, states: readonly number[]): readonly number[] {
  const counts = new Array<number>(shape.columns).fill(0)
  map.forEach((state, record) => {
    const { column } = shape.place(record)
    if (states.includes(state)) counts[column] = (counts[column] ?? 0) + 1
  })
  return counts
}
