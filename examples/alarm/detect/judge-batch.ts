import type { Kysely } from 'kysely'
import { groupBy } from '../group-by.js'
import { seriesOf, stableDimensions } from '../ids.js'
import type { NoDataRule, Rule, Strategy } from './rule.js'
import type { Schema } from '../store/schema.js'
import type { Tx } from '../store/store.js'
import type { RawEvent } from '../topics.js'
import { toAlertEvent } from './alert-event.js'
import * as stored from './detect-store.js'
import type { Decided, TimeRange } from './detect-store.js'
import { reachSeconds, RuleState, type Point } from './rule-state.js'
import { expectSeries } from './silence.js'

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
  /** The same point again, as every replay sends it. */
  repeated: number
  /** Another value for a time that has one. The first wins: alerts made from it cannot be unmade. */
  conflicts: number
  /** Heartbeats: they only say how far time has come. */
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

/** One series, with what the database knows of it around the batch. */
interface Series {
  readonly id: string
  readonly dimensions: Readonly<Record<string, string>>
  readonly values: Map<number, number>
  readonly added: Point[]
  readonly rules: readonly RuleState[]
}

/** The series of one metric, which are judged by the same rules and loaded together. */
interface Metric {
  readonly series: ReadonlyMap<string, Series>
  readonly rules: readonly Rule[]
  readonly noDataRules: readonly NoDataRule[]
}

/**
 * Judges one batch, of one partition, against what the database knows around it. Nothing is kept in memory from one batch
 * to the next, so a restart or a batch that failed half-way meets no empty window. What was decided stays with the record
 * it was decided at: one that comes again says the same again, for nobody knows whether it was heard.
 */
export async function judgeBatch(db: Kysely<Schema>, book: RuleBook, batch: readonly Arrived[]): Promise<JudgedBatch> {
  const part = batch[0]?.partition ?? 0
  const judged = batch.filter(({ value }) => value.event_type !== 'heartbeat')
  const metrics = new Map<string, Metric>()
  for (const [name, group] of groupBy(judged, ({ value }) => metricOf(value))) {
    metrics.set(name, await loadMetric(db, book, name, group))
  }
  const before = await stored.loadDecided(db, part, judged)
  const counts = { accepted: 0, repeated: 0, conflicts: 0, filtered: batch.length - judged.length }
  const events: Decided[] = []
  const decidedNow: Decided[] = []
  for (const { offset, value: raw } of judged) {
    const series = metrics.get(metricOf(raw))?.series.get(seriesOf(raw))
    if (!series) throw new Error('a series was not loaded')
    const point = { time: raw.timestamp, value: raw.raw_data.value }
    const known = series.values.get(point.time)
    if (known !== undefined) {
      counts[known === point.value ? 'repeated' : 'conflicts'] += 1
      // Where a topic was made anew, another series may have had the place.
      const isIts = ({ offset: of, event: { extra_info } }: Decided): boolean =>
        of === offset && extra_info.origin_alarm.data.record_id.startsWith(series.id)
      if (known === point.value) events.push(...before.filter(isIts))
      continue
    }
    counts.accepted += 1
    series.values.set(point.time, point.value)
    series.added.push(point)
    for (const state of series.rules) {
      for (const finding of state.judge(point, raw.raw_data.dimensions)) {
        const decided = { offset, event: toAlertEvent(state.rule, series, finding) }
        events.push(decided)
        decidedNow.push(decided)
      }
    }
  }
  const save = async (tx: Tx, outBefore: number): Promise<void> => {
    for (const metric of metrics.values()) await saveMetric(tx, metric, part)
    await stored.saveDecided(tx, part, decidedNow, outBefore)
  }
  return { events, counts, save }
}

function metricOf({ bk_biz_id: bizId, raw_data: { metric } }: RawEvent): string {
  return `${bizId}/${metric}`
}

async function loadMetric(db: Kysely<Schema>, book: RuleBook, name: string, rows: readonly Arrived[]): Promise<Metric> {
  const isAbout = ({ bizId, metric }: Strategy): boolean => name === `${bizId}/${metric}`
  const rules = book.rules.filter(isAbout)
  const range = rangeAround(rows, rules)
  const bySeries = groupBy(rows, ({ value }) => seriesOf(value))
  const ids = [...bySeries.keys()]
  const points = await stored.loadPoints(db, ids, range)
  const states = await Promise.all(rules.map((rule) => stored.loadRuleStates(db, rule, ids, range)))
  const series = [...bySeries].map(([id, [first]]): [string, Series] => {
    const known = points.get(id) ?? []
    const values = new Map(known.map(({ time, value }) => [time, value]))
    const dimensions = stableDimensions(first?.value.raw_data.dimensions ?? {})
    const ofRule = rules.map((rule, index) => new RuleState(rule, id, known, states[index]!(id)))
    return [id, { id, dimensions, values, added: [], rules: ofRule }]
  })
  return { series: new Map(series), rules, noDataRules: book.noDataRules.filter(isAbout) }
}

function rangeAround(batch: readonly Arrived[], rules: readonly Rule[]): TimeRange {
  const times = batch.map(({ value }) => value.timestamp)
  const reaches = rules.map(reachSeconds)
  return {
    fromSeconds: Math.min(...times) - Math.max(0, ...reaches.map((reach) => reach.back)),
    toSeconds: Math.max(...times) + Math.max(0, ...reaches.map((reach) => reach.ahead)),
  }
}

async function saveMetric(tx: Tx, { series, rules, noDataRules }: Metric, part: number): Promise<void> {
  const changed = [...series.values()].filter(({ added }) => added.length > 0)
  if (changed.length === 0) return
  await stored.savePoints(tx, new Map(changed.map(({ id, added }) => [id, added])))
  for (const [index, rule] of rules.entries()) {
    await stored.saveRuleStates(
      tx,
      rule,
      changed.map((one) => one.rules[index]!),
    )
  }
  for (const rule of noDataRules) await expectSeries(tx, rule, part, changed)
}
