import type { Kysely } from 'kysely'
import { insertNew } from 'tidemark/sql'
import { groupBy } from '../group-by.js'
import { anomalyId, recordId } from '../ids.js'
import { is } from '../store/queries.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import { toAlertEvent, type SeriesIdentity } from './alert-event.js'
import { loadPoints } from './detect-store.js'
import { remember, type Anomaly, type Finding, type Point } from './rule-state.js'
import { placeOf, type NoDataRule } from './rule.js'

/**
 * How a rule stands with a series that should have points: the newest period that was looked at, counted from the Unix epoch;
 * how many up to it have no point; and the newest of them that fired.
 */
export type Silence = Pick<Schema['expected_series'], 'looked_at' | 'missing' | 'fired'>

export interface Look {
  readonly after: Silence
  readonly findings: readonly Finding[]
  /** Periods without a point, by their begins. There is no value: the strategy says so. */
  readonly missing: readonly Anomaly[]
}

/** What is to be said of the series of one partition, and kept. */
export interface JudgedSilence {
  readonly part: number
  readonly events: readonly AlertEvent[]
  save(this: void, tx: Tx): Promise<void>
}

/**
 * Judges what is missing when time has come so far: `watermarkMs` says that nothing of that time or before is to come any
 * more. The clock on the wall plays no part, so a replay finds what the first run found, and a backlog is no silence.
 *
 * @param parts the partitions that are ours: of others we do not see the points
 */
export async function judgeSilence(
  db: Kysely<Schema>,
  rules: readonly NoDataRule[],
  parts: readonly number[],
  watermarkMs: number,
): Promise<JudgedSilence[]> {
  if (parts.length === 0) return []
  const looks: { row: Schema['expected_series']; look: Look; events: AlertEvent[] }[] = []
  for (const rule of rules) {
    const through = lastPeriodOver(rule, watermarkMs)
    const expected = db
      .selectFrom('expected_series')
      .selectAll()
      .where(is(placeOf(rule)))
      .where('part', 'in', parts)
    for (const row of await expected.where('looked_at', '<', through).orderBy('series').execute()) {
      const fromSeconds = (row.looked_at + 1) * rule.unitSeconds
      const toSeconds = (through + 1) * rule.unitSeconds - 1
      const points = (await loadPoints(db, [row.series], { fromSeconds, toSeconds })).get(row.series) ?? []
      const look = lookAt(rule, row.series, row, points, through)
      // Gone, and still so: there is nothing to keep.
      const isGone = look.missing.length === 0 && look.findings.length === 0 && look.after.missing >= rule.goneAfter
      const events = look.findings.map((finding) => toAlertEvent(rule, silent(row), finding))
      if (!isGone) looks.push({ row, look, events })
    }
  }
  return [...groupBy(looks, ({ row }) => row.part)].map(([part, ofPart]) => ({
    part,
    events: ofPart.flatMap(({ events }) => events),
    save: async (tx) => {
      const missing = ofPart.flatMap(({ look }) => look.missing)
      await insertNew(tx, 'check_result', missing)
      for (const { row, look } of ofPart) {
        const { strategy_id, item_id, series } = row
        const place = { strategy_id, item_id, series }
        await tx.updateTable('expected_series').set(look.after).where(is(place)).execute()
      }
    },
  }))
}

/** The newest period that is over when nothing of this time (ms) or before is to come any more. */
export function lastPeriodOver(rule: NoDataRule, watermarkMs: number): number {
  return Math.floor((watermarkMs + 1) / 1_000 / rule.unitSeconds) - 1
}

/**
 * Looks at the periods from the one behind the last that was looked at `through` another, all of which are over. What it finds
 * depends on the points alone, not on how often or how late somebody looks.
 *
 * | the series is | a period has no point                                             | a period has one |
 * |---------------|-------------------------------------------------------------------|------------------|
 * | expected      | one more is missing; the `continuous`th and each further one fires; with the `goneAfter`th its alert is closed, and it is gone | what fired is over |
 * | gone          | nothing is expected                                               | it is expected again |
 */
export function lookAt(
  rule: NoDataRule,
  series: string,
  before: Silence,
  points: readonly Point[],
  through: number,
): Look {
  const { unitSeconds, continuous, goneAfter, severity, metric } = rule
  const findings: Finding[] = []
  const missingPeriods: Anomaly[] = []
  const byPeriod = new Map<number, Point>()
  for (const point of points) remember(byPeriod, point, unitSeconds)
  const known = [...byPeriod.keys()].sort((one, other) => one - other)
  let { missing, fired } = before
  const say = (status: Finding['status'], time: number, value: number | null, what: string): void => {
    const named = status === 'ABNORMAL' ? time : (fired ?? 0) * unitSeconds
    const id = anomalyId(recordId(series, named), rule.strategyId, rule.itemId, severity)
    const firstAnomalyTime = status === 'ABNORMAL' ? named - (Math.min(missing, continuous) - 1) * unitSeconds : named
    const about = { anomalyId: id, anomalyIds: [id], firstAnomalyTime, description: `${metric} has ${what}` }
    findings.push({ status, severity, time, value, ...about })
  }
  for (let period = before.looked_at + 1; period <= through; period++) {
    const point = byPeriod.get(period)
    const time = period * unitSeconds
    if (point) {
      if (fired !== null) say('RECOVERED', point.time, point.value, 'data again')
      missing = 0
      fired = null
    } else if (missing >= goneAfter) {
      period = (known.find((one) => one > period) ?? through + 1) - 1
    } else {
      missing++
      const triggered = missing >= continuous
      const place = { ...placeOf(rule), series, severity, ts: time }
      missingPeriods.push({ ...place, value: '0', triggered: triggered ? 1 : 0 })
      if (triggered) {
        say('ABNORMAL', time, null, `had no data for ${missing} periods`)
        fired = period
      }
      if (missing >= goneAfter && fired !== null) {
        say('CLOSED', time, null, `had no data for ${missing} periods and is expected no more`)
        fired = null
      }
    }
  }
  return {
    after: { looked_at: Math.max(before.looked_at, through), missing, fired },
    findings,
    missing: missingPeriods,
  }
}

/** From its first point on a series is expected to go on. */
export async function expectSeries(
  tx: Tx,
  rule: NoDataRule,
  part: number,
  series: readonly (SeriesIdentity & { readonly added: readonly Point[] })[],
): Promise<void> {
  const place = placeOf(rule)
  const rows = series.map(({ id, dimensions, added }) => {
    const looked_at = Math.floor(Math.min(...added.map(({ time }) => time)) / rule.unitSeconds) - 1
    const expected = { ...place, series: id, part, dimensions: JSON.stringify(dimensions) }
    return { ...expected, looked_at, missing: 0, fired: null }
  })
  if ((await insertNew(tx, 'expected_series', rows)) === rows.length) return
  // A topic that gets more partitions moves its keys.
  const moved = tx.updateTable('expected_series').set({ part }).where(is(place))
  const ids = rows.map((row) => row.series)
  await moved.where('series', 'in', ids).where('part', '!=', part).execute()
}

/** Missing data is another alert than wrong data: one dimension more tells them apart. */
function silent({ series, dimensions }: Schema['expected_series']): SeriesIdentity {
  const known = JSON.parse(dimensions) as SeriesIdentity['dimensions']
  return { id: series, dimensions: { ...known, __NO_DATA_DIMENSION__: 'true' } }
}
