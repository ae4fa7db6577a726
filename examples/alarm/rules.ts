import type { Algorithm } from './detect/algorithms.js'

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

const recovery = { window: 5 }
const atOnce = { window: 1, count: 1 }
const threeOfFive = { window: 5, count: 3 }

/** What the demo judges by: one rule for each series. README.md has the figures they give. */
export const rules: readonly Rule[] = [
  {
    strategyId: 11,
    itemId: 1,
    version: 1,
    name: 'machine temperature low',
    bizId: 2,
    metric: 'machine.temperature',
    unitSeconds: 300,
    category: 'hardware',
    targetType: 'HOST',
    target: 'machine',
    levels: [
      {
        severity: 1,
        connector: 'and',
        algorithms: [{ type: 'Threshold', groups: [[{ method: 'lt', threshold: 60 }]] }],
        trigger: threeOfFive,
        recovery,
      },
    ],
  },
  {
    strategyId: 12,
    itemId: 1,
    version: 1,
    name: 'request latency high',
    bizId: 2,
    metric: 'ec2.request_latency',
    unitSeconds: 300,
    category: 'service',
    targetType: 'HOST',
    target: 'ec2',
    levels: [
      {
        severity: 2,
        connector: 'and',
        algorithms: [{ type: 'Threshold', groups: [[{ method: 'gt', threshold: 60 }]] }],
        trigger: atOnce,
        recovery,
      },
    ],
  },
  {
    strategyId: 13,
    itemId: 1,
    version: 1,
    name: 'database CPU high',
    bizId: 3,
    metric: 'rds.cpu_utilization',
    unitSeconds: 300,
    category: 'database',
    targetType: 'HOST',
    target: 'rds-cc0c53',
    levels: [
      {
        severity: 2,
        connector: 'and',
        algorithms: [{ type: 'Threshold', groups: [[{ method: 'gte', threshold: 14 }]] }],
        trigger: threeOfFive,
        recovery,
      },
    ],
  },
  {
    strategyId: 14,
    itemId: 1,
    version: 1,
    name: 'request count high',
    bizId: 3,
    metric: 'elb.request_count',
    unitSeconds: 300,
    category: 'service',
    targetType: 'SERVICE',
    target: 'elb-8c0756',
    levels: [
      {
        severity: 2,
        connector: 'and',
        algorithms: [{ type: 'Threshold', groups: [[{ method: 'gte', threshold: 300 }]] }],
        trigger: atOnce,
        recovery,
      },
    ],
  },
  {
    strategyId: 15,
    itemId: 1,
    version: 1,
    name: 'cost per click high',
    bizId: 4,
    metric: 'exchange.cost_per_click',
    unitSeconds: 3_600,
    category: 'business',
    targetType: 'SERVICE',
    target: 'exchange-3',
    levels: [
      {
        severity: 3,
        connector: 'and',
        algorithms: [{ type: 'Threshold', groups: [[{ method: 'gte', threshold: 0.5 }]] }],
        trigger: atOnce,
        recovery,
      },
    ],
  },
]

/** Only cost per click has gaps worth an alert: up to 15 hours of an hourly series. */
export const noDataRules: readonly NoDataRule[] = [
  {
    strategyId: 16,
    itemId: 1,
    version: 1,
    name: 'cost per click missing',
    bizId: 4,
    metric: 'exchange.cost_per_click',
    unitSeconds: 3_600,
    category: 'business',
    targetType: 'SERVICE',
    target: 'exchange-3',
    severity: 2,
    continuous: 3,
    goneAfter: 24,
  },
]
