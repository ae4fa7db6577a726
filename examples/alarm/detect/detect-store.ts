import type { Kysely } from 'kysely'
import type { Rule, Severity } from './rule.js'
import { groupBy } from '../group-by.js'
import { insertNew, is } from '../store/queries.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import type { Point, RuleState, StoredRuleState } from './rule-state.js'

export interface TimeRange {
  readonly fromSeconds: number
  readonly toSeconds: number
}

/** What was decided at a record of the partition. */
export interface Decided {
  readonly offset: number
  readonly event: AlertEvent
}

export async function loadDecided(
  db: Kysely<Schema>,
  part: number,
  records: readonly { readonly offset: number }[],
): Promise<Decided[]> {
  if (records.length === 0) return []
  const offsets = records.map(({ offset }) => offset)
  const rows = await db
    .selectFrom('decided_event')
    .select(['raw_offset', 'event'])
    .where('part', '=', part)
    .where('raw_offset', '>=', Math.min(...offsets))
    .where('raw_offset', '<=', Math.max(...offsets))
    .orderBy('raw_offset')
    .orderBy('seq')
    .execute()
  return rows.map((row) => ({ offset: row.raw_offset, event: JSON.parse(row.event) as AlertEvent }))
}

/** Adds what was decided, and forgets what is out for good. */
export async function saveDecided(tx: Tx, part: number, decided: readonly Decided[], outBefore: number): Promise<void> {
  const rows = decided.map(({ offset, event }, seq) => {
    return { part, raw_offset: offset, seq, event: JSON.stringify(event) }
  })
  await insertNew(tx, 'decided_event', rows)
  await tx.deleteFrom('decided_event').where('part', '=', part).where('raw_offset', '<', outBefore).execute()
}

export async function loadPoints(
  db: Kysely<Schema>,
  series: readonly string[],
  { fromSeconds, toSeconds }: TimeRange,
): Promise<Map<string, Point[]>> {
  const rows = await db
    .selectFrom('metric_point')
    .selectAll()
    .where('series', 'in', series)
    .where('ts', '>=', fromSeconds)
    .where('ts', '<=', toSeconds)
    .execute()
  const found = new Map(series.map((id): [string, Point[]] => [id, []]))
  for (const { series: id, ts, value } of rows) found.get(id)?.push({ time: ts, value: Number(value) })
  return found
}

/** The primary key is a record's identity: what comes again is not stored again. */
export async function savePoints(tx: Tx, points: ReadonlyMap<string, readonly Point[]>): Promise<void> {
  const rows = [...points].flatMap(([series, added]) =>
    added.map(({ time, value }) => ({ series, ts: time, value: String(value) })),
  )
  await insertNew(tx, 'metric_point', rows)
}

export async function loadRuleStates(
  db: Kysely<Schema>,
  { strategyId, itemId }: Rule,
  series: readonly string[],
  { fromSeconds, toSeconds }: TimeRange,
): Promise<(series: string) => StoredRuleState> {
  const place = { strategy_id: strategyId, item_id: itemId }
  const anomalies = await db
    .selectFrom('check_result')
    .selectAll()
    .where(is(place))
    .where('series', 'in', series)
    .where('ts', '>=', fromSeconds)
    .where('ts', '<=', toSeconds)
    .execute()
  const states = await db.selectFrom('rule_state').selectAll().where(is(place)).where('series', 'in', series).execute()
  const verdicts = groupBy(anomalies, (row) => row.series)
  const said = new Map(states.map((row) => [row.series, row]))
  return (id) => {
    const { firing_severity: severity = null, last_trigger_ts: last = null, newest_ts = null } = said.get(id) ?? {}
    return {
      anomalies: (verdicts.get(id) ?? []).map((row) => {
        return {
          severity: row.severity as Severity,
          time: row.ts,
          value: Number(row.value),
          triggered: row.triggered === 1,
        }
      }),
      firing: severity === null || last === null ? null : { severity: severity as Severity, lastTriggerTime: last },
      newestTime: newest_ts,
    }
  }
}

/** What one rule says of the series of a batch. */
export async function saveRuleStates(
  tx: Tx,
  { strategyId, itemId }: Rule,
  states: readonly RuleState[],
): Promise<void> {
  const place = { strategy_id: strategyId, item_id: itemId }
  const changes = states.map((state) => ({ series: state.series, ...state.changes() }))
  for (const { series, anomalies } of changes) {
    const rows = anomalies.map(({ severity, time, value, triggered }) => {
      return { ...place, series, severity, ts: time, value: String(value), triggered: triggered ? 1 : 0 }
    })
    // One that is there already is back because a late point filled its window.
    if ((await insertNew(tx, 'check_result', rows)) === rows.length) continue
    for (const { severity, ts } of rows.filter((row) => row.triggered === 1)) {
      const key = { ...place, series, severity, ts }
      await tx.updateTable('check_result').set({ triggered: 1 }).where(is(key)).execute()
    }
  }
  // Delete and insert: the one upsert that SQLite, MySQL and PostgreSQL all understand.
  const series = changes.map((one) => one.series)
  await tx.deleteFrom('rule_state').where(is(place)).where('series', 'in', series).execute()
  const rows = changes.map(({ series: id, firing, newestTime }) => {
    const said = { firing_severity: firing?.severity ?? null, last_trigger_ts: firing?.lastTriggerTime ?? null }
    return { ...place, series: id, ...said, newest_ts: newestTime }
  })
  await insertNew(tx, 'rule_state', rows)
}
