import type { Kysely } from 'kysely'
import { seriesId } from '../ids.js'
import type { NoDataRule, Rule, Strategy } from '../rules.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { RawEvent } from '../topics.js'
import { toAlertEvent } from './alert-event.js'
import {
  loadDecided,
  loadPoints,
  loadRuleState,
  saveDecided,
  savePoints,
  saveRuleState,
  type Decided,
  type TimeRange,
} from './detect-store.js'
import { reachSeconds, RuleState } from './rule-state.js'
import { SeriesPoints } from './series-points.js'
import { expectSeries } from './silence-watch.js'

/** What detect judges by. */
export interface RuleBook {
  readonly rules: readonly Rule[]
  readonly noDataRules: readonly NoDataRule[]
}

/** A message of `raw_events`. */
export interface Arrived {
  readonly partition: number
  readonly offset: number
  readonly value: RawEvent
}

export interface BatchCounts {
  accepted: number
  repeated: number
  conflicts: number
  /** Kinds of event that no rule here speaks about, and heartbeats. */
  filtered: number
}

export interface JudgedBatch {
  /** For the `alerts` topic, in order: what was decided now, or when the same records were judged before. */
  readonly events: readonly Decided[]
  readonly counts: Readonly<BatchCounts>
  /**
   * Writes what was learnt.
   *
   * @param outBefore Kafka has all offsets before it: what was decided there need not be kept
   */
  save(tx: Tx, outBefore: number): Promise<void>
}

interface SeriesInBatch {
  readonly part: number
  readonly dimensions: RawEvent['raw_data']['dimensions']
  readonly noDataRules: readonly NoDataRule[]
  readonly points: SeriesPoints
  readonly rules: readonly RuleState[]
}

/**
 * Judges one batch, of one partition, against what the database knows around it. Nothing is kept in memory from one batch
 * to the next, so a restart or a batch that failed half-way meets no empty window. What was decided stays with the record
 * it was decided at: one that comes again says the same again, for nobody knows whether it was heard.
 */
export async function judgeBatch(db: Kysely<Schema>, book: RuleBook, batch: readonly Arrived[]): Promise<JudgedBatch> {
  const part = batch[0]?.partition ?? 0
  const metrics = batch.filter(({ value }) => value.event_type === 'metric')
  const bySeries = await loadSeries(db, book, part, metrics)
  const before = await loadDecided(db, part, metrics)
  const counts: BatchCounts = { accepted: 0, repeated: 0, conflicts: 0, filtered: batch.length - metrics.length }
  const events: Decided[] = []
  const decidedNow: Decided[] = []

  for (const { offset, value: raw } of metrics) {
    const id = seriesOf(raw)
    const series = bySeries.get(id)
    if (!series) throw new Error(`series ${id} was not loaded`)
    const point = { time: raw.timestamp, value: raw.raw_data.value }
    switch (series.points.arrive(point)) {
      case 'repeated':
        counts.repeated++
        events.push(...before.filter((one) => one.offset === offset))
        continue
      case 'conflict':
        counts.conflicts++
        continue
      case 'new':
        counts.accepted++
    }
    for (const state of series.rules) {
      for (const finding of state.judge(point)) {
        const decided = { offset, event: toAlertEvent(state.rule, { id, dimensions: series.dimensions }, finding) }
        events.push(decided)
        decidedNow.push(decided)
      }
    }
  }

  const save = async (tx: Tx, outBefore: number): Promise<void> => {
    await saveSeries(tx, bySeries)
    await saveDecided(tx, part, decidedNow, outBefore)
  }
  return { events, counts, save }
}

function seriesOf(raw: RawEvent): string {
  return seriesId(raw.bk_biz_id, raw.raw_data.metric, raw.raw_data.dimensions)
}

async function loadSeries(
  db: Kysely<Schema>,
  { rules, noDataRules }: RuleBook,
  part: number,
  batch: readonly Arrived[],
): Promise<Map<string, SeriesInBatch>> {
  const grouped = new Map<string, RawEvent[]>()
  for (const { value: raw } of batch) {
    const id = seriesOf(raw)
    const group = grouped.get(id)
    if (group) group.push(raw)
    else grouped.set(id, [raw])
  }
  const loaded = new Map<string, SeriesInBatch>()
  for (const [id, group] of grouped) {
    const isAbout = (rule: Strategy): boolean =>
      rule.bizId === group[0]?.bk_biz_id && rule.metric === group[0].raw_data.metric
    const ofSeries = rules.filter(isAbout)
    const range = rangeAround(group, ofSeries)
    const stored = await loadPoints(db, id, range)
    const states: RuleState[] = []
    for (const rule of ofSeries) {
      states.push(new RuleState(rule, id, stored, await loadRuleState(db, rule, id, range)))
    }
    loaded.set(id, {
      part,
      dimensions: group[0]?.raw_data.dimensions ?? {},
      points: new SeriesPoints(stored),
      rules: states,
      noDataRules: noDataRules.filter(isAbout),
    })
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

async function saveSeries(tx: Tx, bySeries: ReadonlyMap<string, SeriesInBatch>): Promise<void> {
  for (const [id, { part, dimensions, points, rules, noDataRules }] of bySeries) {
    const added = points.added()
    await savePoints(tx, id, added)
    for (const state of rules) await saveRuleState(tx, state)
    if (added.length === 0) continue
    const firstTime = Math.min(...added.map(({ time }) => time))
    for (const rule of noDataRules) await expectSeries(tx, rule, { id, dimensions, part }, firstTime)
  }
}
