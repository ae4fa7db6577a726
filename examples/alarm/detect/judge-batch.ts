import type { Kysely } from 'kysely'
import { seriesId } from '../ids.js'
import type { Rule } from '../rules.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { AlertEvent, RawEvent } from '../topics.js'
import { toAlertEvent } from './alert-event.js'
import { loadPoints, loadRuleState, savePoints, saveRuleState, type TimeRange } from './detect-store.js'
import { reachSeconds, RuleState } from './rule-state.js'
import { SeriesPoints } from './series-points.js'

export interface BatchCounts {
  accepted: number
  repeated: number
  conflicts: number
  /** Kinds of event that no rule here speaks about. */
  filtered: number
}

export interface JudgedBatch {
  /** For the `alerts` topic, in order. */
  readonly events: readonly AlertEvent[]
  readonly counts: Readonly<BatchCounts>
  /** Writes what was learnt. */
  save(tx: Tx): Promise<void>
}

interface SeriesInBatch {
  readonly points: SeriesPoints
  readonly rules: readonly RuleState[]
}

/**
 * Judges one batch against what the database knows around it. Nothing is kept in memory from one batch to the next, so
 * a restart, a rebalance or a batch that failed half-way needs no rebuilding and never meets an empty window.
 */
export async function judgeBatch(
  db: Kysely<Schema>,
  rules: readonly Rule[],
  batch: readonly RawEvent[],
): Promise<JudgedBatch> {
  const metrics = batch.filter((raw) => raw.event_type === 'metric')
  const bySeries = await loadSeries(db, rules, metrics)
  const counts: BatchCounts = { accepted: 0, repeated: 0, conflicts: 0, filtered: batch.length - metrics.length }
  const events: AlertEvent[] = []

  for (const raw of metrics) {
    const id = seriesOf(raw)
    const series = bySeries.get(id)
    if (!series) throw new Error(`series ${id} was not loaded`)
    const point = { time: raw.timestamp, value: raw.raw_data.value }
    switch (series.points.arrive(point)) {
      case 'repeated':
        counts.repeated++
        continue
      case 'conflict':
        counts.conflicts++
        continue
      case 'new':
        counts.accepted++
    }
    for (const state of series.rules) {
      for (const finding of state.judge(point)) events.push(toAlertEvent(state.rule, id, raw, finding))
    }
  }

  return { events, counts, save: (tx) => save(tx, bySeries) }
}

function seriesOf(raw: RawEvent): string {
  return seriesId(raw.bk_biz_id, raw.raw_data.metric, raw.raw_data.dimensions)
}

async function loadSeries(
  db: Kysely<Schema>,
  rules: readonly Rule[],
  batch: readonly RawEvent[],
): Promise<Map<string, SeriesInBatch>> {
  const grouped = new Map<string, RawEvent[]>()
  for (const raw of batch) {
    const id = seriesOf(raw)
    const group = grouped.get(id)
    if (group) group.push(raw)
    else grouped.set(id, [raw])
  }
  const loaded = new Map<string, SeriesInBatch>()
  for (const [id, group] of grouped) {
    const ofSeries = rules.filter(
      (rule) => rule.bizId === group[0]?.bk_biz_id && rule.metric === group[0].raw_data.metric,
    )
    const range = rangeAround(group, ofSeries)
    const stored = await loadPoints(db, id, range)
    const states: RuleState[] = []
    for (const rule of ofSeries) {
      states.push(new RuleState(rule, id, stored, await loadRuleState(db, rule, id, range)))
    }
    loaded.set(id, { points: new SeriesPoints(stored), rules: states })
  }
  return loaded
}

function rangeAround(batch: readonly RawEvent[], rules: readonly Rule[]): TimeRange {
  const times = batch.map((raw) => raw.timestamp)
  const reaches = rules.map(reachSeconds)
  return {
    fromSeconds: Math.min(...times) - Math.max(0, ...reaches.map((reach) => reach.back)),
    toSeconds: Math.max(...times) + Math.max(0, ...reaches.map((reach) => reach.ahead)),
  }
}

async function save(tx: Tx, bySeries: ReadonlyMap<string, SeriesInBatch>): Promise<void> {
  for (const [id, { points, rules }] of bySeries) {
    await savePoints(tx, id, points.added())
    for (const state of rules) await saveRuleState(tx, state)
  }
}
