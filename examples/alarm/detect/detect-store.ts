import { sql, type Kysely, type RawBuilder, type SqlBool } from 'kysely'
import { insertNew } from 'tidemark/sql'
import { groupBy } from '../group-by.js'
import { is } from '../store/queries.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import { RuleState, type Point } from './rule-state.js'
import { placeOf, type Rule } from './rule.js'

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
  const decided = db.selectFrom('decided_event').selectAll().where('part', '=', part)
  const rows = await decided.where('raw_offset', 'in', offsets).orderBy('raw_offset').orderBy('seq').execute()
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

/** What a rule says of each of these series. */
export async function loadRuleStates(
  db: Kysely<Schema>,
  rule: Rule,
  points: ReadonlyMap<string, readonly Point[]>,
  range: TimeRange,
): Promise<RuleState[]> {
  const [place, series] = [placeOf(rule), [...points.keys()]]
  const verdicts = db.selectFrom('check_result').selectAll().where(is(place)).where(within(series, range))
  const anomalies = groupBy(await verdicts.execute(), (row) => row.series)
  const states = db.selectFrom('rule_state').selectAll().where(is(place)).where('series', 'in', series)
  const said = new Map((await states.execute()).map((row) => [row.series, row]))
  return [...points].map(([id, known]) => new RuleState(rule, id, known, anomalies.get(id), said.get(id)))
}

export async function saveRuleStates(tx: Tx, states: readonly RuleState[]): Promise<void> {
  const verdicts = states.flatMap(({ changed }) => [...changed])
  // One that is there already is back because a late point filled its window.
  if ((await insertNew(tx, 'check_result', verdicts)) < verdicts.length) {
    for (const { value: _, triggered, ...verdict } of verdicts) {
      if (triggered === 1) await tx.updateTable('check_result').set({ triggered }).where(is(verdict)).execute()
    }
  }
  // Delete and insert: the one upsert that SQLite, MySQL and PostgreSQL all understand.
  for (const [rule, ofRule] of groupBy(states, (state) => state.rule)) {
    const [place, series] = [placeOf(rule), ofRule.map((state) => state.series)]
    await tx.deleteFrom('rule_state').where(is(place)).where('series', 'in', series).execute()
  }
  const said = states.map((state) => state.said)
  await insertNew(tx, 'rule_state', said)
}

/** Of these series, and of a time in the range. */
function within(series: readonly string[], { fromSeconds, toSeconds }: TimeRange): RawBuilder<SqlBool> {
  return sql`series in (${sql.join(series)}) and ts between ${fromSeconds} and ${toSeconds}`
}
