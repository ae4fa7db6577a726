import type { Kysely } from 'kysely'
import type { NoDataRule } from './rule.js'
import { insertNew, is } from '../store/queries.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent } from '../topics.js'
import { toSilenceEvent, type SeriesIdentity } from './alert-event.js'
import { loadPoints } from './detect-store.js'
import type { Point } from './rule-state.js'
import { lastPeriodOver, lookAt, type Look, type Silence } from './silence.js'

interface ExpectedSeries extends SeriesIdentity {
  readonly part: number
  readonly rule: NoDataRule
  readonly silence: Silence
}

/** What is to be said of the series of one partition, and kept. */
export interface JudgedSilence {
  readonly part: number
  readonly events: readonly AlertEvent[]
  save(tx: Tx): Promise<void>
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
  const judged = new Map<number, { expected: ExpectedSeries; look: Look }[]>()
  for (const rule of rules) {
    const through = lastPeriodOver(rule, watermarkMs)
    for (const expected of await loadExpected(db, rule, parts, through)) {
      const fromSeconds = (expected.silence.lookedAt + 1) * rule.unitSeconds
      const toSeconds = (through + 1) * rule.unitSeconds - 1
      const points = (await loadPoints(db, [expected.id], { fromSeconds, toSeconds })).get(expected.id) ?? []
      const look = lookAt(rule, expected.id, expected.silence, points, through)
      // Gone, and still so: there is nothing to keep.
      if (look.missing.length === 0 && look.findings.length === 0 && look.after.missing >= rule.goneAfter) continue
      judged.set(expected.part, [...(judged.get(expected.part) ?? []), { expected, look }])
    }
  }
  return [...judged].map(([part, looks]) => ({
    part,
    events: looks.flatMap(({ expected, look }) =>
      look.findings.map((finding) => toSilenceEvent(expected.rule, expected, finding)),
    ),
    save: async (tx) => {
      for (const { expected, look } of looks) await saveLook(tx, expected, look)
    },
  }))
}

/** From its first point on a series is expected to go on. */
export async function expectSeries(
  tx: Tx,
  rule: NoDataRule,
  part: number,
  series: readonly (SeriesIdentity & { readonly added: readonly Point[] })[],
): Promise<void> {
  const place = { strategy_id: rule.strategyId, item_id: rule.itemId }
  const rows = series.map(({ id, dimensions, added }) => {
    const firstTime = Math.min(...added.map(({ time }) => time))
    const looked_at = Math.floor(firstTime / rule.unitSeconds) - 1
    return { ...place, series: id, part, dimensions: JSON.stringify(dimensions), looked_at, missing: 0, fired: null }
  })
  if ((await insertNew(tx, 'expected_series', rows)) === rows.length) return
  // A topic that gets more partitions moves its keys.
  const ids = rows.map((row) => row.series)
  await tx
    .updateTable('expected_series')
    .set({ part })
    .where(is(place))
    .where('series', 'in', ids)
    .where('part', '!=', part)
    .execute()
}

async function loadExpected(
  db: Kysely<Schema>,
  rule: NoDataRule,
  parts: readonly number[],
  through: number,
): Promise<ExpectedSeries[]> {
  if (parts.length === 0) return []
  const rows = await db
    .selectFrom('expected_series')
    .selectAll()
    .where('strategy_id', '=', rule.strategyId)
    .where('item_id', '=', rule.itemId)
    .where('part', 'in', parts)
    .where('looked_at', '<', through)
    .orderBy('series')
    .execute()
  return rows.map((row) => ({
    rule,
    id: row.series,
    part: row.part,
    dimensions: JSON.parse(row.dimensions) as Record<string, string>,
    silence: { lookedAt: row.looked_at, missing: row.missing, fired: row.fired },
  }))
}

async function saveLook(tx: Tx, { rule, id }: ExpectedSeries, { after, missing }: Look): Promise<void> {
  const place = { strategy_id: rule.strategyId, item_id: rule.itemId, series: id }
  const verdicts = missing.map(({ time, triggered }) => ({
    ...place,
    severity: rule.severity,
    ts: time,
    // There is none: the strategy says so.
    value: '0',
    triggered: triggered ? 1 : 0,
  }))
  await insertNew(tx, 'check_result', verdicts)
  await tx
    .updateTable('expected_series')
    .set({ looked_at: after.lookedAt, missing: after.missing, fired: after.fired })
    .where(is(place))
    .execute()
}
