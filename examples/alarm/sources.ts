import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { disorderSeconds, type Arrival, type Input } from './access/arrivals.js'
import { rawEventId, recordId, seriesOf } from './ids.js'
import type { RawEvent } from './topics.js'

/** A real series of the Numenta Anomaly Benchmark (see data/README.md); each NAB folder plays one tenant. */
export interface Source {
  readonly file: string
  readonly folder: string
  readonly bizId: number
  readonly metric: string
  readonly dimensions: Readonly<Record<string, string>>
  readonly priority: 1 | 2 | 3
  /** Rows to read from the begin of the file. Default all. */
  readonly rows?: number
}

export const sources: readonly Source[] = [
  {
    file: 'machine_temperature_system_failure.csv',
    folder: 'realKnownCause',
    bizId: 2,
    metric: 'machine.temperature',
    dimensions: { component: 'machine' },
    priority: 1,
  },
  {
    file: 'ec2_request_latency_system_failure.csv',
    folder: 'realKnownCause',
    bizId: 2,
    metric: 'ec2.request_latency',
    dimensions: { instance: 'ec2' },
    priority: 2,
  },
  {
    file: 'rds_cpu_utilization_cc0c53.csv',
    folder: 'realAWSCloudwatch',
    bizId: 3,
    metric: 'rds.cpu_utilization',
    dimensions: { instance: 'cc0c53' },
    priority: 2,
  },
  {
    file: 'elb_request_count_8c0756.csv',
    folder: 'realAWSCloudwatch',
    bizId: 3,
    metric: 'elb.request_count',
    dimensions: { balancer: '8c0756' },
    priority: 2,
  },
  {
    file: 'exchange-3_cpc_results.csv',
    folder: 'realAdExchange',
    bizId: 4,
    metric: 'exchange.cost_per_click',
    dimensions: { exchange: '3' },
    priority: 3,
  },
]

/** The same series, each cut after `rows` rows. */
export function firstRows(all: readonly Source[], rows: number): Source[] {
  return all.map((source) => ({ ...source, rows }))
}

/** The name a source has in `event_source` and in access's checkpoints. */
function sourceName(source: Source): string {
  return `nab/${source.folder}/${source.file}`
}

const dataFolder = new URL('./data/', import.meta.url)

/** The file's rows as events, in file order, which is the order of arrival. */
export async function readSource(source: Source): Promise<RawEvent[]> {
  const text = await readFile(new URL(source.file, dataFolder), 'utf8')
  const [, ...lines] = text.trimEnd().split(/\r?\n/)
  return lines.slice(0, source.rows).map((line, index) => toRawEvent(source, line, index + 1))
}

function toRawEvent(source: Source, line: string, row: number): RawEvent {
  const [time = '', value = ''] = line.split(',')
  return {
    event_id: rawEventId(sourceName(source), row),
    event_type: 'metric',
    raw_data: { metric: source.metric, value: Number(value), dimensions: { ...source.dimensions } },
    timestamp: utcSeconds(time),
    bk_biz_id: source.bizId,
    event_source: sourceName(source),
    priority: source.priority,
  }
}

/**
 * The rows of all sources as they come in: by time, each late by something of its own, the same in every run. Where a file
 * itself goes back in time, its rows are as late as it says.
 */
export async function readArrivals(sources: readonly Source[]): Promise<Arrival[]> {
  const bySource = await Promise.all(sources.map(async (source) => arrivalsOf(await readSource(source))))
  return bySource.flat().sort((one, other) => one.at - other.at)
}

/** All rows of the sources as one input; other rows are another one. */
export async function readReplay(sources: readonly Source[]): Promise<Input> {
  const parts = sources.map((source) => `${sourceName(source)}:${source.rows ?? 'all'}`)
  const name = `replay/${createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 32)}`
  return { name, arrivals: await readArrivals(sources) }
}

function arrivalsOf(rows: readonly RawEvent[]): Arrival[] {
  let newest = 0
  return rows.map((event) => {
    newest = Math.max(newest, event.timestamp)
    return { at: newest + delaySeconds(event), event }
  })
}

/** Of the series and the time only: rows that share both stay as they are in the file. */
function delaySeconds(event: RawEvent): number {
  const point = recordId(seriesOf(event), event.timestamp)
  return createHash('md5').update(point).digest().readUInt32BE(0) % (disorderSeconds + 1)
}

export interface LabelledWindow {
  readonly fromSeconds: number
  readonly toSeconds: number
}

/** The windows in which people who knew the machines say something was wrong, by file. */
export async function readLabels(): Promise<Map<string, LabelledWindow[]>> {
  const text = await readFile(new URL('labels.json', dataFolder), 'utf8')
  const labels = JSON.parse(text) as Record<string, { readonly windows: readonly (readonly [string, string])[] }>
  return new Map(
    Object.entries(labels).map(([file, { windows }]) => [
      file,
      windows.map(([from, to]) => ({ fromSeconds: utcSeconds(from), toSeconds: utcSeconds(to) })),
    ]),
  )
}

/** `2013-12-02 21:15:00`, with or without a fraction; the files name no zone and mean UTC. */
function utcSeconds(text: string): number {
  const milliseconds = Date.parse(`${text.trim().slice(0, 19).replace(' ', 'T')}Z`)
  if (Number.isNaN(milliseconds)) throw new Error(`expected a time as YYYY-MM-DD HH:MM:SS, got ${JSON.stringify(text)}`)
  return milliseconds / 1000
}
