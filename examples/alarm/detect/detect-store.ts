import type { Kysely } from 'kysely'
import type { Rule, Severity } from '../rules.js'
import { insertNew } from '../store/insert-new.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import type { Anomaly, RuleState, StoredRuleState } from './rule-state.js'
import type { Point } from './series-points.js'

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

export async function loadPoints(db: Kysely<Schema>, series: string, range: TimeRange): Promise<Point[]> {
  const rows = await db
    .selectFrom('metric_point')
    .select(['ts', 'value'])
    .where('series', '=', series)
    .where('ts', '>=', range.fromSeconds)
    .where('ts', '<=', range.toSeconds)
    .execute()
  return rows.map((row) => ({ time: row.ts, value: row.value }))
}

export async function savePoints(tx: Tx, series: string, points: readonly Point[]): Promise<void> {
  const rows = points.map((point) => ({ series, ts: point.time, value: point.value }))
  await insertNew(tx, 'metric_point', rows)
}

export async function loadRuleState(
  db: Kysely<Schema>,
  rule: Rule,
  series: string,
  range: TimeRange,
): Promise<StoredRuleState> {
  const anomalies = await db
    .selectFrom('check_result')
    .select(['severity', 'ts', 'value', 'triggered'])
    .where('strategy_id', '=', rule.strategyId)
    .where('item_id', '=', rule.itemId)
    .where('series', '=', series)
    .where('ts', '>=', range.fromSeconds)
    .where('ts', '<=', range.toSeconds)
    .execute()
  const state = await db
    .selectFrom('rule_state')
    .selectAll()
    .where('strategy_id', '=', rule.strategyId)
    .where('item_id', '=', rule.itemId)
    .where('series', '=', series)
    .executeTakeFirst()
  return {
    anomalies: anomalies.map((row): Anomaly => ({
      severity: row.severity as Severity,
      time: row.ts,
      value: row.value,
      triggered: row.triggered === 1,
    })),
    firing:
      state?.firing_severity == null || state.last_trigger_ts === null
        ? null
        : { severity: state.firing_severity as Severity, lastTriggerTime: state.last_trigger_ts },
    newestTime: state?.newest_ts ?? null,
  }
}

export async function saveRuleState(tx: Tx, state: RuleState): Promise<void> {
  const place = { strategy_id: state.rule.strategyId, item_id: state.rule.itemId, series: state.series }
  const { anomalies, firing, newestTime } = state.changes()
  for (const { severity, time, value, triggered } of anomalies) {
    const key = { ...place, severity, ts: time }
    const verdict = { value, triggered: triggered ? 1 : 0 }
    // Delete and insert: the one upsert that SQLite, MySQL and PostgreSQL all understand.
    await tx
      .deleteFrom('check_result')
      .where((where) => where.and(key))
      .execute()
    await tx
      .insertInto('check_result')
      .values({ ...key, ...verdict })
      .execute()
  }
  const said = {
    firing_severity: firing?.severity ?? null,
    last_trigger_ts: firing?.lastTriggerTime ?? null,
    newest_ts: newestTime,
  }
  await insertNew(tx, 'rule_state', [{ ...place, ...said }])
  await tx
    .updateTable('rule_state')
    .set(said)
    .where((where) => where.and(place))
    .execute()
}
