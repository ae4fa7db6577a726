import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { rawEventId } from '../ids.js'
import { isFuture, type Input } from './arrivals.js'

/** Columns that are no dimension. */
const known = ['timestamp', 'metric', 'value', 'bk_biz_id', 'priority']

/**
 * A file of the columns `timestamp` (Unix seconds), `metric`, `value`, `bk_biz_id`, and `priority` where it has one; every
 * other column is a dimension. A row that is no event is given all the same, for the dead-letter topic.
 */
export async function readCsv(path: string): Promise<Input> {
  const text = await readFile(path, 'utf8')
  const [header = '', ...lines] = text.trimEnd().split(/\r?\n/)
  const columns = header.split(',').map((column) => column.trim())
  const missing = known.slice(0, 4).filter((column) => !columns.includes(column))
  if (missing.length > 0)
    throw new Error(`expected the columns ${known.slice(0, 4).join(', ')} in ${path}; ${missing.join(', ')} is missing`)
  const name = `csv/${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
  let at = 0
  const arrivals = lines.map((line, index) => {
    const cells = line.split(',').map((cell) => cell.trim())
    const row = Object.fromEntries(columns.map((column, place) => [column, cells[place] ?? '']))
    const timestamp = number(row['timestamp'])
    if (Number.isSafeInteger(timestamp) && !isFuture(timestamp as number)) at = Math.max(at, timestamp as number)
    const event = {
      event_id: rawEventId(name, index + 1),
      event_type: 'metric',
      raw_data: {
        metric: row['metric'],
        value: number(row['value']),
        dimensions: Object.fromEntries(Object.entries(row).filter(([column]) => !known.includes(column))),
      },
      timestamp,
      bk_biz_id: number(row['bk_biz_id']),
      event_source: name,
      priority: number(row['priority'] || '2'),
    }
    return { at, event: columns.length === cells.length ? event : line }
  })
  return { name, arrivals }
}

/** Text where there is no number, so that the dead letter shows what stood there. */
function number(cell = ''): number | string {
  return cell === '' || Number.isNaN(Number(cell)) ? cell : Number(cell)
}
