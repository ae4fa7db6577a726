import { sql, type Kysely, type RawBuilder, type SqlBool } from 'kysely'
import { insertNew } from 'tidemark/sql'
import { groupBy } from '../group-by.js'
import { is } from '../store/queries.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import type { Point, RuleState, StoredRuleState } from './rule-state.js'
import type { Rule, Severity, Strategy } from './rule.js'

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
  const [first, last] = [Math.min(...offsets), Math.max(...offsets)]
  const decided = db.selectFrom('decided_event').selectAll().where('part', '=', part)
  const there = decided.where('raw_offset', '>=', first).where('raw_offset', '<=', last)
  const rows = await there.orderBy('raw_offset').orderBy('seq').execute()
  return rows.map((row) => ({ offset: row.raw_offset, event: JSON.parse(row.event) as AlertEvent }))
}

/** Adds what was decided, and forgets what is out for good, and what a topic before it was made anew had in its place. */
export async function saveDecided(tx: Tx, part: number, decided: readonly Decided[], outBefore: number): Promise<void> {
  const rows = decided.map(({ offset, event }, seq) => {
    return { part, raw_offset: offset, seq, event: JSON.stringify(event) }
  })
  const there = tx.deleteFrom('decided_event').where('part', '=', part)
  await there.where('raw_offset', '<', outBefore).execute()
  if (rows.length > 0) await there.where('raw_offset', 'in', [...new Set(rows.map((row) => row.raw_offset))]).execute()
  await insertNew(tx, 'decided_event', rows)
}

export async function loadPoints(
  db: Kysely<Schema>,
  series: readonly string[],
  range: TimeRange,
): Promise<Map<string, Point[]>> {
  const rows = await db.selectFrom('metric_point').selectAll().where(within(series, range)).execute()
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
  rule: Rule,
  series: readonly string[],
  range: TimeRange,
): Promise<(series: string) => StoredRuleState> {
  const place = placeOf(rule)
  const verdicts = db.selectFrom('check_result').selectAll().where(is(place))
  const anomalies = groupBy(await verdicts.where(within(series, range)).execute(), (row) => row.series)
  const states = db.selectFrom('rule_state').selectAll().where(is(place))
  const said = new Map((await states.where('series', 'in', series).execute()).map((row) => [row.series, row]))
  return (id) => {
    const { firing_severity: severity = null, last_trigger_ts: last = null, newest_ts = null } = said.get(id) ?? {}
    return {
      anomalies: (anomalies.get(id) ?? []).map((row) => {
        const { severity: of, ts: time, value, triggered } = row
        return { severity: of as Severity, time, value: Number(value), triggered: triggered === 1 }
      }),
      firing: severity === null || last === null ? null : { severity: severity as Severity, lastTriggerTime: last },
      newestTime: newest_ts,
    }
  }
}

/** What one rule says of the series of a batch. */
export async function saveRuleStates(tx: Tx, rule: Rule, states: readonly RuleState[]): Promise<void> {
  const place = placeOf(rule)
  const rows: Schema['rule_state'][] = []
  for (const state of states) {
    const { series } = state
    const { anomalies, firing, newestTime } = state.changes()
    const said = { firing_severity: firing?.severity ?? null, last_trigger_ts: firing?.lastTriggerTime ?? null }
    rows.push({ ...place, series, ...said, newest_ts: newestTime })
    const verdicts = anomalies.map(({ severity, time, value, triggered }) => {
      return { ...place, series, severity, ts: time, value: String(value), triggered: triggered ? 1 : 0 }
    })
    // One that is there already is back because a late point filled its window.
    if ((await insertNew(tx, 'check_result', verdicts)) === verdicts.length) continue
    for (const { severity, ts, triggered } of verdicts) {
      const verdict = tx.updateTable('check_result').where(is({ ...place, series, severity, ts }))
      if (triggered === 1) await verdict.set({ triggered }).execute()
    }
  }
  // Delete and insert: the one upsert that SQLite, MySQL and PostgreSQL all understand.
  const series = rows.map((row) => row.series)
  await tx.deleteFrom('rule_state').where(is(place)).where('series', 'in', series).execute()
  await insertNew(tx, 'rule_state', rows)
}

export function placeOf({ strategyId, itemId }: Strategy): { strategy_id: number; item_id: number } {
  return { strategy_id: strategyId, item_id: itemId }
}

/** Of these series, and of a time in the range. */
function within(series: readonly string[], { fromSeconds, toSeconds }: TimeRange): RawBuilder<SqlBool> {
  return sql`series in (${sql.join(series)}) and ts between ${fromSeconds} and ${toSeconds}`
}
