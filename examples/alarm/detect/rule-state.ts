import { anomalyId, recordId } from '../ids.js'
import type { Level, Rule, Severity } from './rule.js'
import { combine, historySeconds, judge } from './algorithms.js'

export interface Point {
  /** Data time, Unix seconds. */
  readonly time: number
  readonly value: number
}

/** A point that a level found anomalous. */
export interface Anomaly extends Point {
  readonly severity: Severity
  /** It filled the trigger's window, so an event was sent for it. */
  readonly triggered: boolean
}

/** What the rule last said about the series: nothing is wrong, or which level fires since its last trigger. */
export type Firing = { readonly severity: Severity; readonly lastTriggerTime: number } | null

export interface StoredRuleState {
  readonly anomalies: readonly Anomaly[]
  readonly firing: Firing
  readonly newestTime: number | null
}

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
  readonly #anomalies = new Map<Severity, Map<number, Anomaly>>()
  readonly #changed = new Map<string, Anomaly>()
  /** First point of each period; empty for rules that look at no history. */
  readonly #periods = new Map<number, Point>()
  readonly #needsHistory: boolean
  #firing: Firing
  #newestTime: number | null

  constructor(
    readonly rule: Rule,
    readonly series: string,
    points: readonly Point[],
    stored: StoredRuleState,
  ) {
    for (const { severity } of rule.levels) this.#anomalies.set(severity, new Map())
    for (const anomaly of stored.anomalies) this.#anomalies.get(anomaly.severity)?.set(anomaly.time, anomaly)
    this.#firing = stored.firing
    this.#newestTime = stored.newestTime
    this.#needsHistory = historyOf(rule) > 0
    for (const point of points) this.#remember(point)
  }

  /** Takes a point that the series did not have before. */
  judge(point: Point, dimensions: Readonly<Record<string, string>> = {}): Finding[] {
    const late = this.#newestTime !== null && point.time < this.#newestTime
    this.#remember(point)
    const anomalous = this.rule.levels.filter((level) => this.#isAnomalous(level, point, dimensions))
    for (const { severity } of anomalous) this.#put({ ...point, severity, triggered: false })

    const findings: Finding[] = []
    const fired = anomalous.find((level) => this.#fires(level, point.time))
    // A late point says nothing about whether the series is well now.
    if (!late && this.#isOver(point.time, fired)) findings.push(this.#recover(point))
    if (fired) findings.push(this.#trigger(fired, point))
    if (late) findings.push(...this.#triggerCompleted(anomalous, point.time))
    else this.#newestTime = point.time
    return findings
  }

  /** What the store must be told. */
  changes(): StoredRuleState {
    return { anomalies: [...this.#changed.values()], firing: this.#firing, newestTime: this.#newestTime }
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

  #put(anomaly: Anomaly): void {
    this.#anomalies.get(anomaly.severity)?.set(anomaly.time, anomaly)
    this.#changed.set(`${anomaly.severity}.${anomaly.time}`, anomaly)
  }

  #fires(level: Level, time: number): boolean {
    return this.#window(level, time).length >= level.trigger.count
  }

  /** The level's anomalies in the trigger window that ends at `time`, oldest first. */
  #window({ severity, trigger }: Level, time: number): Anomaly[] {
    const known = this.#anomalies.get(severity)
    if (!known?.size) return []
    const from = time - (trigger.window * this.rule.unitSeconds - 1)
    const anomalies = [...known.values()].filter((one) => one.time >= from && one.time <= time)
    return anomalies.sort((one, other) => one.time - other.time)
  }

  #trigger(level: Level, { time, value }: Point): Finding {
    const { severity } = level
    this.#put({ time, value, severity, triggered: true })
    const firing = this.#firing
    const isSeverer = !firing || severity < firing.severity
    if (isSeverer || (severity === firing.severity && time > firing.lastTriggerTime)) {
      this.#firing = { severity, lastTriggerTime: time }
    }
    const window = this.#window(level, time)
    const anomalyIds = window.map((one) => this.#anomalyId(one.time, severity))
    const about = { anomalyId: this.#anomalyId(time, severity), anomalyIds, firstAnomalyTime: window[0]?.time ?? time }
    const description = `${this.rule.metric} is ${value}: ${window.length} of ${level.trigger.window} periods anomalous`
    return { status: 'ABNORMAL', severity, time, value, ...about, description }
  }

  /** Anomalies behind a late one whose windows it filled. */
  #triggerCompleted(levels: readonly Level[], lateTime: number): Finding[] {
    return levels.flatMap((level) => {
      const touched = this.#window(level, lateTime + level.trigger.window * this.rule.unitSeconds - 1)
      return touched.flatMap((anomaly) => {
        const isOpen = anomaly.time > lateTime && !this.#hasTriggered(anomaly.time, level.severity)
        return isOpen && this.#fires(level, anomaly.time) ? [this.#trigger(level, anomaly)] : []
      })
    })
  }

  /** At this level or a severer one: the severest level that fires speaks alone. */
  #hasTriggered(time: number, severity: Severity): boolean {
    return this.rule.levels.some(
      (level) => level.severity <= severity && this.#anomalies.get(level.severity)?.get(time)?.triggered === true,
    )
  }

  #isOver(time: number, fired: Level | undefined): boolean {
    const firing = this.#firing
    if (!firing || (fired && fired.severity <= firing.severity)) return false
    const level = this.#level(firing.severity)
    const steps = Array.from({ length: level?.recovery.window ?? 0 }, (_, step) => step * this.rule.unitSeconds)
    return !level || steps.every((back) => !this.#fires(level, time - back))
  }

  #recover({ time, value }: Point): Finding {
    if (!this.#firing) throw new Error('only a firing rule recovers')
    const { severity, lastTriggerTime } = this.#firing
    this.#firing = null
    const id = this.#anomalyId(lastTriggerTime, severity)
    const about = { anomalyId: id, anomalyIds: [id], firstAnomalyTime: lastTriggerTime }
    const description = `${this.rule.metric} is well for ${this.#level(severity)?.recovery.window ?? 0} periods`
    return { status: 'RECOVERED', severity, time, value, ...about, description }
  }

  #level(severity: Severity): Level | undefined {
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
