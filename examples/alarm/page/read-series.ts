import type { Kysely } from 'kysely'
import { seriesId } from '../ids.js'
import type { ReportInput } from '../report.js'
import type { Rule } from '../detect/rule.js'
import { readLabels, readSource, type LabelledWindow } from '../sources.js'
import type { Schema } from '../store/schema.js'

export interface DrawnAlert {
  readonly from: number
  /** `null` while it is open. */
  readonly to: number | null
  readonly latest: number
  readonly severity: number
}

/** One series and what was found in it. Times are Unix seconds of the data. */
export interface DrawnSeries {
  readonly title: string
  readonly unitSeconds: number
  readonly points: readonly (readonly [time: number, value: number])[]
  readonly threshold: number | null
  readonly anomalies: readonly (readonly [time: number, value: number])[]
  readonly alerts: readonly DrawnAlert[]
  /** Alerts about points that did not come. */
  readonly silences: readonly DrawnAlert[]
  readonly windows: readonly (LabelledWindow & { readonly hit: boolean })[]
  /** Rows that had another value for a time that has one. */
  readonly conflicts: readonly number[]
}

/** From the databases, not from counters: what stands there is what survived. */
export async function readDrawnSeries(input: ReportInput): Promise<DrawnSeries[]> {
  const labels = await readLabels()
  const drawn: DrawnSeries[] = []
  for (const source of input.sources) {
    const isAbout = (rule: { bizId: number; metric: string }): boolean =>
      rule.bizId === source.bizId && rule.metric === source.metric
    const rule = input.rules.find(isAbout)
    if (!rule) continue
    const points = new Map<number, number>()
    const conflicts: number[] = []
    for (const { timestamp, raw_data } of await readSource(source)) {
      const known = points.get(timestamp)
      if (known === undefined) points.set(timestamp, raw_data.value)
      else if (known !== raw_data.value) conflicts.push(timestamp)
    }
    const alerts = await readAlerts(input.alertDb, rule.strategyId)
    const silent = await Promise.all(
      input.noDataRules.filter(isAbout).map(({ strategyId }) => readAlerts(input.alertDb, strategyId)),
    )
    const found = await input.detectDb
      .selectFrom('check_result')
      .select(['ts', 'value'])
      .where('strategy_id', '=', rule.strategyId)
      .where('series', '=', seriesId(source.bizId, source.metric, source.dimensions))
      .orderBy('ts')
      .execute()
    drawn.push({
      title: `${rule.name}: ${source.metric} ${describe(rule)}`,
      unitSeconds: rule.unitSeconds,
      points: [...points].sort(([one], [other]) => one - other),
      threshold: thresholdOf(rule),
      anomalies: found.map(({ ts, value }) => [ts, Number(value)]),
      alerts,
      silences: silent.flat(),
      windows: (labels.get(source.file) ?? []).map((window) => ({
        ...window,
        hit: alerts.some(({ from, latest }) => from <= window.toSeconds && latest >= window.fromSeconds),
      })),
      conflicts,
    })
  }
  return drawn
}

async function readAlerts(db: Kysely<Schema>, strategyId: number): Promise<DrawnAlert[]> {
  const rows = await db
    .selectFrom('alert')
    .select(['begin_time', 'latest_time', 'end_time', 'severity'])
    .where('strategy_id', '=', strategyId)
    .orderBy('begin_time')
    .execute()
  return rows.map((row) => ({
    from: row.begin_time,
    to: row.end_time,
    latest: row.latest_time,
    severity: row.severity,
  }))
}

const signs = { gt: '>', gte: '≥', lt: '<', lte: '≤', eq: '=', neq: '≠' } as const

function describe({ levels: [level] }: Rule): string {
  const [algorithm] = level?.algorithms ?? []
  if (!level || algorithm?.type !== 'Threshold') return algorithm?.type ?? ''
  const terms = algorithm.groups.map((group) =>
    group.map((one) => `${signs[one.method]} ${one.threshold}`).join(' and '),
  )
  return `${terms.join(' or ')}, ${level.trigger.count} of ${level.trigger.window} periods`
}

function thresholdOf({ levels: [level] }: Rule): number | null {
  const [algorithm] = level?.algorithms ?? []
  return algorithm?.type === 'Threshold' ? (algorithm.groups[0]?.[0]?.threshold ?? null) : null
}
