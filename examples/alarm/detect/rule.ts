import type { Algorithm } from './algorithms.js'

export type Severity = 1 | 2 | 3

export interface Level {
  readonly severity: Severity
  /** `and`: all algorithms must find the point anomalous; `or`: one is enough. */
  readonly connector: 'and' | 'or'
  readonly algorithms: readonly Algorithm[]
  /** Fires at an anomaly with at least `count` anomalies within the last `window` periods. */
  readonly trigger: { readonly window: number; readonly count: number }
  /** Over when the trigger's window, slid back this many periods from the newest point, holds too few anomalies each time. */
  readonly recovery: { readonly window: number }
}

/** One strategy with one item, as data. It judges every series of its tenant and metric. */
export interface Strategy {
  readonly strategyId: number
  readonly itemId: number
  /** Raise it with every change: alerts tell which version judged. */
  readonly version: number
  readonly name: string
  readonly bizId: number
  readonly metric: string
  /** The series' period. */
  readonly unitSeconds: number
  readonly category: string
  readonly targetType: string
  readonly target: string
}

/** What its rows have in the database. */
export function placeOf({ strategyId, itemId }: Strategy): { strategy_id: number; item_id: number } {
  return { strategy_id: strategyId, item_id: itemId }
}

export interface Rule extends Strategy {
  /** Severest first; the first that fires speaks. */
  readonly levels: readonly Level[]
}

/** About points that do not come. A series is expected from its first point on. */
export interface NoDataRule extends Strategy {
  readonly severity: Severity
  /** Fires when so many periods in a row have no point. */
  readonly continuous: number
  /** After so many the series is gone: its alert is closed, and nothing is expected before it is back. */
  readonly goneAfter: number
}
