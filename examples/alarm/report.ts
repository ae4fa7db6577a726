import type { Kysely } from 'kysely'
import { seriesId } from './ids.js'
import type { NoDataRule, Rule, Strategy } from './detect/rule.js'
import { readLabels, readSource, type Source } from './sources.js'
import type { Schema } from './store/schema.js'

/** One line of the closing table. */
export interface SeriesReport {
  readonly name: string
  /** `null` in the line of a rule about what is missing. */
  readonly rows: number | null
  readonly accepted: number | null
  readonly anomalies: number
  readonly triggers: number
  readonly alerts: number
  readonly openAlerts: number
  readonly windows: number | null
  /** Labelled windows that overlap an alert's time from its begin to its newest anomaly. */
  readonly windowsHit: number
}

export interface ReportInput {
  readonly sources: readonly Source[]
  readonly rules: readonly Rule[]
  readonly noDataRules: readonly NoDataRule[]
  readonly detectDb: Kysely<Schema>
  readonly alertDb: Kysely<Schema>
}

/** Reads the figures from the databases, not from counters: what stands there is what survived. */
export async function readReport(input: ReportInput): Promise<SeriesReport[]> {
  const { sources, rules, noDataRules, detectDb, alertDb } = input
  const labels = await readLabels()
  const lines: SeriesReport[] = []
  for (const rule of rules) {
    const source = sources.find((one) => one.bizId === rule.bizId && one.metric === rule.metric)
    if (!source) continue
    const series = seriesId(source.bizId, source.metric, source.dimensions)
    const windows = labels.get(source.file) ?? []
    const found = await readAlerts(alertDb, rule)
    const hit = windows.filter((window) =>
      found.some((alert) => alert.begin_time <= window.toSeconds && alert.latest_time >= window.fromSeconds),
    )
    lines.push({
      name: rule.name,
      rows: (await readSource(source)).length,
      accepted: await countPoints(detectDb, series),
      ...(await countVerdicts(detectDb, series, rule)),
      ...countAlerts(found),
      windows: windows.length,
      windowsHit: hit.length,
    })
  }
  for (const rule of noDataRules) {
    const source = sources.find((one) => one.bizId === rule.bizId && one.metric === rule.metric)
    if (!source) continue
    lines.push({
      ...{ name: rule.name, rows: null, accepted: null, windows: null, windowsHit: 0 },
      ...(await countVerdicts(detectDb, seriesId(source.bizId, source.metric, source.dimensions), rule)),
      ...countAlerts(await readAlerts(alertDb, rule)),
    })
  }
  return lines
}

interface FoundAlert {
  readonly begin_time: number
  readonly latest_time: number
  readonly open_marker: number | null
}

function readAlerts(db: Kysely<Schema>, rule: Strategy): Promise<FoundAlert[]> {
  return db
    .selectFrom('alert')
    .select(['begin_time', 'latest_time', 'open_marker'])
    .where('strategy_id', '=', rule.strategyId)
    .execute()
}

function countAlerts(found: readonly FoundAlert[]): Pick<SeriesReport, 'alerts' | 'openAlerts'> {
  return { alerts: found.length, openAlerts: found.filter((alert) => alert.open_marker === 1).length }
}

async function countPoints(db: Kysely<Schema>, series: string): Promise<number> {
  const row = await db
    .selectFrom('metric_point')
    .select((select) => select.fn.countAll<number>().as('n'))
    .where('series', '=', series)
    .executeTakeFirstOrThrow()
  return row.n
}

async function countVerdicts(
  db: Kysely<Schema>,
  series: string,
  rule: Strategy,
): Promise<Pick<SeriesReport, 'anomalies' | 'triggers'>> {
  const row = await db
    .selectFrom('check_result')
    .select((select) => [select.fn.countAll<number>().as('n'), select.fn.sum('triggered').as('triggered')])
    .where('series', '=', series)
    .where('strategy_id', '=', rule.strategyId)
    .executeTakeFirstOrThrow()
  return { anomalies: row.n, triggers: Number(row.triggered ?? 0) }
}

const headings = ['rule', 'rows in', 'accepted', 'anomalies', 'triggers', 'alerts', 'open at end', 'windows hit']

/** The table as text, a total line last. */
export function formatReport(lines: readonly SeriesReport[]): string {
  const rows = [...lines.map(cells), cells(total(lines))]
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const format = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [format(headings), rule, ...rows.slice(0, -1).map(format), rule, format(rows.at(-1) ?? [])].join('\n')
}

function cells(line: SeriesReport): string[] {
  const { rows, accepted, anomalies, triggers, alerts, openAlerts, windows } = line
  const numbers = [rows, accepted, anomalies, triggers, alerts, openAlerts].map((n) => n?.toLocaleString('en-US') ?? '')
  return [line.name, ...numbers, windows === null ? '' : `${line.windowsHit} of ${windows}`]
}

function total(lines: readonly SeriesReport[]): SeriesReport {
  const sum = (pick: (line: SeriesReport) => number | null): number =>
    lines.reduce((all, line) => all + (pick(line) ?? 0), 0)
  return {
    name: 'all',
    rows: sum((line) => line.rows),
    accepted: sum((line) => line.accepted),
    anomalies: sum((line) => line.anomalies),
    triggers: sum((line) => line.triggers),
    alerts: sum((line) => line.alerts),
    openAlerts: sum((line) => line.openAlerts),
    windows: sum((line) => line.windows),
    windowsHit: sum((line) => line.windowsHit),
  }
}
