import { anomalyId, recordId } from '../ids.js'
import type { Schema } from '../store/schema.js'
import { combine, historySeconds, judge } from './algorithms.js'
import { placeOf, type Level, type Rule, type Severity } from './rule.js'

export interface Point {
  /** Data time, Unix seconds. */
  readonly time: number
  readonly value: number
}

/** A point that a level found anomalous. `triggered`: it filled the trigger's window, so an event was sent for it. */
export type Anomaly = Schema['check_result']

/** What the rule last said about the series: nothing is wrong, or which level fires since its last trigger. */
export type Said = Schema['rule_state']

/** What a rule says of a series. */
export interface Finding {
  readonly status: 'ABNORMAL' | 'RECOVERED' | 'CLOSED'
  readonly severity: Severity
  /** Of the point that decided, or the begin of the period that has none. */
  readonly time: number
  /** `null` where the point is missing. */
  readonly value: number | null
  /** The newest anomaly this is about; names the event. */
  readonly anomalyId: string
  readonly anomalyIds: readonly string[]
  readonly firstAnomalyTime: number
  readonly description: string
}

/** Keeps the first point of each period. Series are seldom aligned to theirs: one here ticks at :15:01. */
export function remember(periods: Map<number, Point>, point: Point, unitSeconds: number): void {
  const period = Math.floor(point.time / unitSeconds)
  const known = periods.get(period)
  if (!known || point.time < known.time) periods.set(period, point)
}

/**
 * One rule over one series. Windows are judged on data time: a point that comes late counts where it belongs, and
 * later anomalies that it completes fire then. The same points in the same order give the same findings, however they
 * are cut into batches.
 */
export class RuleState {
  /** What the database is to have in place of what it has. */
  readonly said: Said
  readonly changed = new Set<Anomaly>()
  readonly #anomalies = new Map<number, Map<number, Anomaly>>()
  /** First point of each period; empty for rules that look at no history. */
  readonly #periods = new Map<number, Point>()
  readonly #needsHistory: boolean

  /** @param points of the series around the batch, with what the database has of them */
  constructor(
    readonly rule: Rule,
    readonly series: string,
    points: readonly Point[] = [],
    anomalies: readonly Anomaly[] = [],
    said?: Said,
  ) {
    for (const { severity } of rule.levels) this.#anomalies.set(severity, new Map())
    for (const anomaly of anomalies) this.#anomalies.get(anomaly.severity)?.set(anomaly.ts, anomaly)
    const nothing = { firing_severity: null, last_trigger_ts: null, newest_ts: null }
    this.said = said ?? { ...placeOf(rule), series, ...nothing }
    this.#needsHistory = historyOf(rule) > 0
    for (const point of points) this.#remember(point)
  }

  /** Takes a point that the series did not have before. */
  judge(point: Point, dimensions: Readonly<Record<string, string>> = {}): Finding[] {
    const { newest_ts } = this.said
    const late = newest_ts !== null && point.time < newest_ts
    this.#remember(point)
    const anomalous = this.rule.levels.filter((level) => this.#isAnomalous(level, point, dimensions))
    for (const { severity } of anomalous) this.#found(severity, point)

    const findings: Finding[] = []
    const fired = anomalous.find((level) => this.#fires(level, point.time))
    // A late point says nothing about whether the series is well now.
    if (!late && this.#isOver(point.time, fired)) findings.push(this.#recover(point))
    if (fired) findings.push(this.#trigger(fired, this.#window(fired, point.time).at(-1)!))
    if (late) findings.push(...this.#triggerCompleted(anomalous, point.time))
    else this.said.newest_ts = point.time
    return findings
  }

  #remember(point: Point): void {
    if (this.#needsHistory) remember(this.#periods, point, this.rule.unitSeconds)
  }

  #isAnomalous(level: Level, { time, value }: Point, dimensions: Readonly<Record<string, string>>): boolean {
    const unit = this.rule.unitSeconds
    const period = Math.floor(time / unit)
    const ago = (seconds: number) => this.#periods.get(period - Math.round(seconds / unit))?.value
    const verdicts = level.algorithms.map((one) => judge(one, { value, dimensions, ago, unit }))
    return combine(level.connector, verdicts) === 'anomalous'
  }

  #found(severity: Severity, { time, value }: Point): void {
    const place = { ...placeOf(this.rule), series: this.series, severity, ts: time }
    const anomaly = { ...place, value: String(value), triggered: 0 }
    this.#anomalies.get(severity)?.set(time, anomaly)
    this.changed.add(anomaly)
  }

  #fires(level: Level, time: number): boolean {
    return this.#window(level, time).length >= level.trigger.count
  }

  /** The level's anomalies in the trigger window that ends at `time`, oldest first. */
  #window({ severity, trigger }: Level, time: number): Anomaly[] {
    const known = this.#anomalies.get(severity)
    if (!known?.size) return []
    const from = time - (trigger.window * this.rule.unitSeconds - 1)
    const anomalies = [...known.values()].filter((one) => one.ts >= from && one.ts <= time)
    return anomalies.sort((one, other) => one.ts - other.ts)
  }

  #trigger(level: Level, anomaly: Anomaly): Finding {
    const { severity } = level
    const { ts: time, value } = anomaly
    anomaly.triggered = 1
    this.changed.add(anomaly)
    const { firing_severity: firing, last_trigger_ts: last } = this.said
    if (firing === null || severity < firing || (severity === firing && time > (last ?? 0))) {
      this.said.firing_severity = severity
      this.said.last_trigger_ts = time
    }
    const window = this.#window(level, time)
    const anomalyIds = window.map(({ ts }) => this.#anomalyId(ts, severity))
    const about = { anomalyId: this.#anomalyId(time, severity), anomalyIds, firstAnomalyTime: window[0]?.ts ?? time }
    const description = `${this.rule.metric} is ${value}: ${window.length} of ${level.trigger.window} periods anomalous`
    return { status: 'ABNORMAL', severity, time, value: Number(value), ...about, description }
  }

  /** Anomalies behind a late one whose windows it filled. */
  #triggerCompleted(levels: readonly Level[], lateTime: number): Finding[] {
    return levels.flatMap((level) => {
      const touched = this.#window(level, lateTime + level.trigger.window * this.rule.unitSeconds - 1)
      return touched.flatMap((anomaly) => {
        const isOpen = anomaly.ts > lateTime && !this.#hasTriggered(anomaly.ts, level.severity)
        return isOpen && this.#fires(level, anomaly.ts) ? [this.#trigger(level, anomaly)] : []
      })
    })
  }

  /** At this level or a severer one: the severest level that fires speaks alone. */
  #hasTriggered(time: number, severity: Severity): boolean {
    return this.rule.levels.some(
      (level) => level.severity <= severity && this.#anomalies.get(level.severity)?.get(time)?.triggered === 1,
    )
  }

  #isOver(time: number, fired: Level | undefined): boolean {
    const { firing_severity: firing } = this.said
    if (firing === null || (fired && fired.severity <= firing)) return false
    const level = this.#level(firing)
    const steps = Array.from({ length: level?.recovery.window ?? 0 }, (_, step) => step * this.rule.unitSeconds)
    return !level || steps.every((back) => !this.#fires(level, time - back))
  }

  #recover({ time, value }: Point): Finding {
    const { firing_severity, last_trigger_ts } = this.said
    if (firing_severity === null || last_trigger_ts === null) throw new Error('only a firing rule recovers')
    const severity = firing_severity as Severity
    this.said.firing_severity = null
    this.said.last_trigger_ts = null
    const id = this.#anomalyId(last_trigger_ts, severity)
    const about = { anomalyId: id, anomalyIds: [id], firstAnomalyTime: last_trigger_ts }
    const description = `${this.rule.metric} is well for ${this.#level(severity)?.recovery.window ?? 0} periods`
    return { status: 'RECOVERED', severity, time, value, ...about, description }
  }

  #level(severity: number): Level | undefined {
    return this.rule.levels.find((one) => one.severity === severity)
  }

  #anomalyId(time: number, severity: Severity): string {
    return anomalyId(recordId(this.series, time), this.rule.strategyId, this.rule.itemId, severity)
  }
}

function historyOf({ levels, unitSeconds }: Rule): number {
  return Math.max(0, ...levels.flatMap(({ algorithms }) => algorithms.map((one) => historySeconds(one, unitSeconds))))
}

/** How far around a batch the stored points and anomalies must be known to judge it. */
export function reachSeconds(rule: Rule): { readonly back: number; readonly ahead: number } {
  const { levels, unitSeconds } = rule
  const windows = Math.max(...levels.map(({ trigger, recovery }) => trigger.window + recovery.window))
  const ahead = Math.max(...levels.map(({ trigger }) => trigger.window)) * unitSeconds
  // One period more: history is looked up by period, and the period may have begun before the exact second.
  return { back: Math.max(windows * unitSeconds, historyOf(rule) + unitSeconds), ahead }
}
