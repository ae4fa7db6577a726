import { createHash } from 'node:crypto'
import { recordId, seriesId } from '../ids.js'
import { readSource, sourceName, type Source } from '../sources.js'
import type { RawEvent } from '../topics.js'

/** Rows come up to so much later than they happened, as gateways and networks have it. Detect puts them in order again. */
export const disorderSeconds = 600

export interface Arrival {
  /** Data time, Unix seconds: what comes later happened at most `disorderSeconds` before it. */
  readonly at: number
  readonly event: unknown
}

/**
 * The rows of all sources as they come in: by time, each late by something of its own, the same in every run. Where a file
 * itself goes back in time, its rows are as late as it says.
 */
export async function readArrivals(sources: readonly Source[]): Promise<Arrival[]> {
  const bySource = await Promise.all(sources.map(async (source) => arrivalsOf(await readSource(source))))
  return bySource.flat().sort((one, other) => one.at - other.at)
}

/** What the checkpoint of such a replay is called: other rows are another replay. */
export function replayName(sources: readonly Source[]): string {
  const parts = sources.map((source) => `${sourceName(source)}:${source.rows ?? 'all'}`)
  return `replay/${createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32)}`
}

function arrivalsOf(rows: readonly RawEvent[]): Arrival[] {
  let newest = 0
  return rows.map((event) => {
    newest = Math.max(newest, event.timestamp)
    return { at: newest + delaySeconds(event), event }
  })
}

/** Of the series and the time only: rows that share both stay as they are in the file. */
function delaySeconds({ bk_biz_id: bizId, raw_data: { metric, dimensions }, timestamp }: RawEvent): number {
  const point = recordId(seriesId(bizId, metric, dimensions), timestamp)
  return createHash('md5').update(point).digest().readUInt32BE(0) % (disorderSeconds + 1)
}
