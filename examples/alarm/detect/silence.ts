import { anomalyId, recordId } from '../ids.js'
import type { NoDataRule, Severity } from './rule.js'
import type { Point } from './rule-state.js'

/** How a rule stands with a series that should have points. Periods count from the Unix epoch. */
export interface Silence {
  /** The newest period that was looked at. */
  readonly lookedAt: number
  /** Periods without a point, up to that one. */
  readonly missing: number
  /** The newest of them that fired. */
  readonly fired: number | null
}

export interface SilenceFinding {
  readonly status: 'ABNORMAL' | 'RECOVERED' | 'CLOSED'
  readonly severity: Severity
  /** Begin of the missing period, or when the point that ended the silence happened. */
  readonly time: number
  readonly value: number | null
  /** Periods without a point. */
  readonly missing: number
  readonly anomalyId: string
  readonly anomalyIds: readonly string[]
  readonly firstAnomalyTime: number
}

/** A period without a point. */
export interface MissingPeriod {
  readonly time: number
  readonly triggered: boolean
}

export interface Look {
  readonly after: Silence
  readonly findings: readonly SilenceFinding[]
  readonly missing: readonly MissingPeriod[]
}

/** The newest period that is over when nothing of this time (ms) or before is to come any more. */
export function lastPeriodOver(rule: NoDataRule, watermarkMs: number): number {
  return Math.floor((watermarkMs + 1) / 1_000 / rule.unitSeconds) - 1
}

/**
 * Looks at the periods from the one behind the last that was looked at `through` another, all of which are over. What it finds
 * depends on the points alone, not on how often or how late somebody looks.
 *
 * | the series is | a period has no point                                             | a period has one |
 * |---------------|-------------------------------------------------------------------|------------------|
 * | expected      | one more is missing; the `continuous`th and each further one fires; with the `goneAfter`th its alert is closed, and it is gone | what fired is over |
 * | gone          | nothing is expected                                               | it is expected again |
 */
export function lookAt(
  rule: NoDataRule,
  series: string,
  before: Silence,
  points: readonly Point[],
  through: number,
): Look {
  const findings: SilenceFinding[] = []
  const missingPeriods: MissingPeriod[] = []
  const byPeriod = firstByPeriod(rule, points)
  const known = [...byPeriod.keys()].sort((one, other) => one - other)
  let { missing, fired } = before
  const say = (status: SilenceFinding['status'], time: number, value: number | null): void => {
    const named = status === 'ABNORMAL' ? time : (fired ?? 0) * rule.unitSeconds
    const id = anomalyId(recordId(series, named), rule.strategyId, rule.itemId, rule.severity)
    const from = named - (Math.min(missing, rule.continuous) - 1) * rule.unitSeconds
    findings.push({
      ...{ status, severity: rule.severity, time, value, missing },
      ...{ anomalyId: id, anomalyIds: [id], firstAnomalyTime: status === 'ABNORMAL' ? from : named },
    })
  }
  for (let period = before.lookedAt + 1; period <= through; period++) {
    const point = byPeriod.get(period)
    const time = period * rule.unitSeconds
    if (point) {
      if (fired !== null) say('RECOVERED', point.time, point.value)
      missing = 0
      fired = null
    } else if (missing >= rule.goneAfter) {
      period = (known.find((one) => one > period) ?? through + 1) - 1
    } else {
      missing++
      const triggered = missing >= rule.continuous
      missingPeriods.push({ time, triggered })
      if (triggered) {
        say('ABNORMAL', time, null)
        fired = period
      }
      if (missing >= rule.goneAfter && fired !== null) {
        say('CLOSED', time, null)
        fired = null
      }
    }
  }
  const lookedAt = Math.max(before.lookedAt, through)
  return { after: { lookedAt, missing, fired }, findings, missing: missingPeriods }
}

function firstByPeriod(rule: NoDataRule, points: readonly Point[]): Map<number, Point> {
  const byPeriod = new Map<number, Point>()
  for (const point of points) {
    const period = Math.floor(point.time / rule.unitSeconds)
    const known = byPeriod.get(period)
    if (!known || point.time < known.time) byPeriod.set(period, point)
  }
  return byPeriod
}
