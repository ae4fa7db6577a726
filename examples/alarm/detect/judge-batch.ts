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
import { reachSeconds, type Point, type RuleState } from './rule-state.js'
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
  readonly metric: string
  readonly dimensions: Readonly<Record<string, string>>
  readonly values: Map<number, number>
  readonly added: Point[]
  readonly rules: readonly RuleState[]
}

/**
 * Judges one batch, of one partition, against what the database knows around it. Nothing is kept in memory from one batch
 * to the next, so a restart or a batch that failed half-way meets no empty window. What was decided stays with the record
 * it was decided at: one that comes again says the same again, for nobody knows whether it was heard.
 */
export async function judgeBatch(db: Kysely<Schema>, book: RuleBook, batch: readonly Arrived[]): Promise<JudgedBatch> {
  const part = batch[0]?.partition ?? 0
  const judged = batch.filter(({ value }) => value.event_type !== 'heartbeat')
  const known = new Map<string, Series>()
  for (const [metric, rows] of groupBy(judged, ({ value }) => metricOf(value))) {
    for (const series of await loadSeries(db, book.rules, metric, rows)) known.set(series.id, series)
  }
  const before = await stored.loadDecided(db, part, judged)
  const counts = { accepted: 0, repeated: 0, conflicts: 0, filtered: batch.length - judged.length }
  const events: Decided[] = []
  const decidedNow: Decided[] = []
  for (const { offset, value: raw } of judged) {
    const series = known.get(seriesOf(raw))
    if (!series) throw new Error('a series was not loaded')
    const point = { time: raw.timestamp, value: raw.raw_data.value }
    const first = series.values.get(point.time)
    if (first !== undefined) {
      counts[first === point.value ? 'repeated' : 'conflicts'] += 1
      // Where a topic was made anew, another series may have had the place.
      const isIts = ({ offset: of, event: { extra_info } }: Decided): boolean =>
        of === offset && extra_info.origin_alarm.data.record_id.startsWith(series.id)
      if (first === point.value) events.push(...before.filter(isIts))
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
    const changed = [...known.values()].filter(({ added }) => added.length > 0)
    await stored.savePoints(tx, new Map(changed.map(({ id, added }) => [id, added])))
    const states = changed.flatMap(({ rules }) => rules)
    await stored.saveRuleStates(tx, states)
    for (const rule of book.noDataRules) {
      const expected = changed.filter(({ metric }) => isAbout(rule, metric))
      await expectSeries(tx, rule, part, expected)
    }
    await stored.saveDecided(tx, part, decidedNow, outBefore)
  }
  return { events, counts, save }
}

function metricOf({ bk_biz_id: bizId, raw_data: { metric } }: RawEvent): string {
  return `${bizId}/${metric}`
}

function isAbout({ bizId, metric }: Strategy, name: string): boolean {
  return name === `${bizId}/${metric}`
}

/** The series of one metric are judged by the same rules, and loaded together. */
async function loadSeries(
  db: Kysely<Schema>,
  all: readonly Rule[],
  metric: string,
  rows: readonly Arrived[],
): Promise<Series[]> {
  const rules = all.filter((rule) => isAbout(rule, metric))
  const range = rangeAround(rows, rules)
  const bySeries = groupBy(rows, ({ value }) => seriesOf(value))
  const points = await stored.loadPoints(db, [...bySeries.keys()], range)
  const states = await Promise.all(rules.map((rule) => stored.loadRuleStates(db, rule, points, range)))
  const ofSeries = groupBy(states.flat(), ({ series }) => series)
  return [...bySeries].map(([id, [first]]) => {
    const values = new Map(points.get(id)?.map(({ time, value }) => [time, value]))
    const dimensions = stableDimensions(first?.value.raw_data.dimensions ?? {})
    return { id, metric, dimensions, values, added: [], rules: ofSeries.get(id) ?? [] }
  })
}

function rangeAround(batch: readonly Arrived[], rules: readonly Rule[]): TimeRange {
  const times = batch.map(({ value }) => value.timestamp)
  const reaches = rules.map(reachSeconds)
  return {
    fromSeconds: Math.min(...times) - Math.max(0, ...reaches.map((reach) => reach.back)),
    toSeconds: Math.max(...times) + Math.max(0, ...reaches.map((reach) => reach.ahead)),
  }
}
