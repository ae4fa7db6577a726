import { anomalyId, recordId } from '../ids.js'
import type { Level, Rule, Severity } from '../rules.js'
import { combine, historySeconds, judge, type History } from './algorithms.js'
import type { Point } from './series-points.js'

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

/** What a point made the rule say. */
export interface Finding {
  readonly status: 'ABNORMAL' | 'RECOVERED'
  readonly severity: Severity
  /** The point that decided. */
  readonly point: Point
  /** The newest anomaly this is about; names the event. */
  readonly anomalyId: string
  readonly anomalyIds: readonly string[]
  readonly firstAnomalyTime: number
}

/**
 * One rule over one series. Windows are judged on data time: a point that comes late counts where it belongs, and
 * later anomalies that it completes fire then. The same points in the same order give the same findings, however they
 * are cut into batches.
 */
export class RuleState {
  /** By level, then by time. */
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
    for (const level of rule.levels) this.#anomalies.set(level.severity, new Map())
    for (const anomaly of stored.anomalies) this.#anomalies.get(anomaly.severity)?.set(anomaly.time, anomaly)
    this.#firing = stored.firing
    this.#newestTime = stored.newestTime
    this.#needsHistory = rule.levels.some((level) => level.algorithms.some((one) => historySeconds(one, 1) > 0))
    for (const point of points) this.#remember(point)
  }

  /** Takes a point that the series did not have before. */
  judge(point: Point): Finding[] {
    const late = this.#newestTime !== null && point.time < this.#newestTime
    this.#remember(point)
    const anomalous = this.rule.levels.filter((level) => this.#isAnomalous(level, point))
    for (const level of anomalous) this.#put({ ...point, severity: level.severity, triggered: false })

    const findings: Finding[] = []
    const fired = anomalous.find((level) => this.#fires(level, point.time))
    // A late point says nothing about whether the series is well now.
    if (!late && this.#isOver(point.time, fired)) findings.push(this.#recover(point))
    if (fired) findings.push(this.#trigger(fired, point))
    if (late) findings.push(...this.#triggerCompleted(anomalous, point.time))
    if (!late) this.#newestTime = point.time
    return findings
  }

  /** What the store must be told. */
  changes(): { readonly anomalies: readonly Anomaly[]; readonly firing: Firing; readonly newestTime: number | null } {
    return { anomalies: [...this.#changed.values()], firing: this.#firing, newestTime: this.#newestTime }
  }

  #remember(point: Point): void {
    if (!this.#needsHistory) return
    const period = this.#period(point.time)
    const known = this.#periods.get(period)
    if (!known || point.time < known.time) this.#periods.set(period, point)
  }

  /** Series are seldom aligned to their period (one here ticks at :15:01), so history is looked up by period, not by second. */
  #period(time: number): number {
    return Math.floor(time / this.rule.unitSeconds)
  }

  #isAnomalous(level: Level, point: Point): boolean {
    const now = this.#period(point.time)
    const history: History = (periods) => this.#periods.get(now - periods)?.value
    const verdicts = level.algorithms.map((one) => judge(one, point.value, history, this.rule.unitSeconds))
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
  #window(level: Level, time: number): Anomaly[] {
    const from = time - (level.trigger.window * this.rule.unitSeconds - 1)
    const anomalies = [...(this.#anomalies.get(level.severity)?.values() ?? [])]
    return anomalies.filter((one) => one.time >= from && one.time <= time).sort((a, b) => a.time - b.time)
  }

  #trigger(level: Level, point: Point): Finding {
    const { severity } = level
    const { time } = point
    this.#put({ ...point, severity, triggered: true })
    const firing = this.#firing
    if (!firing || severity < firing.severity) this.#firing = { severity, lastTriggerTime: time }
    else if (severity === firing.severity && time > firing.lastTriggerTime) {
      this.#firing = { severity, lastTriggerTime: time }
    }
    const window = this.#window(level, time)
    return {
      status: 'ABNORMAL',
      severity,
      point,
      anomalyId: this.#anomalyId(time, severity),
      anomalyIds: window.map((one) => this.#anomalyId(one.time, severity)),
      firstAnomalyTime: window[0]?.time ?? time,
    }
  }

  /** Anomalies behind a late one whose windows it filled. */
  #triggerCompleted(levels: readonly Level[], lateTime: number): Finding[] {
    const findings: Finding[] = []
    for (const level of levels) {
      const lastTouched = lateTime + level.trigger.window * this.rule.unitSeconds - 1
      for (const anomaly of this.#window(level, lastTouched)) {
        if (anomaly.time <= lateTime || this.#hasTriggered(anomaly.time, level.severity)) continue
        if (this.#fires(level, anomaly.time)) findings.push(this.#trigger(level, anomaly))
      }
    }
    return findings
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
    const level = this.rule.levels.find((one) => one.severity === firing.severity)
    if (!level) return true
    for (let step = 0; step < level.recovery.window; step++) {
      if (this.#fires(level, time - step * this.rule.unitSeconds)) return false
    }
    return true
  }

  #recover(point: Point): Finding {
    const firing = this.#firing
    if (!firing) throw new Error('only a firing rule recovers')
    this.#firing = null
    const anomaly = this.#anomalyId(firing.lastTriggerTime, firing.severity)
    return {
      status: 'RECOVERED',
      severity: firing.severity,
      point,
      anomalyId: anomaly,
      anomalyIds: [anomaly],
      firstAnomalyTime: firing.lastTriggerTime,
    }
  }

  #anomalyId(time: number, severity: Severity): string {
    return anomalyId(recordId(this.series, time), this.rule.strategyId, this.rule.itemId, severity)
  }
}

/** How far around a batch the stored points and anomalies must be known to judge it. */
export function reachSeconds(rule: Rule): { readonly back: number; readonly ahead: number } {
  const back = rule.levels.map((level) =>
    Math.max(
      (level.trigger.window + level.recovery.window) * rule.unitSeconds,
      // One period more: history is looked up by period, and the period may have begun before the exact second.
      ...level.algorithms.map((one) => historySeconds(one, rule.unitSeconds) + rule.unitSeconds),
    ),
  )
  const ahead = rule.levels.map((level) => level.trigger.window * rule.unitSeconds)
  return { back: Math.max(...back), ahead: Math.max(...ahead) }
}
