import type { ConvergeBook } from './converge/converge-rules.js'
import type { NoDataRule, Rule } from './detect/rule.js'

export type { Level, NoDataRule, Rule, Severity } from './detect/rule.js'

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

/** What the demo folds by: the five alarming series, on three machines that stand on each other. */
export const convergeBook: ConvergeBook = {
  convergeRules: [
    {
      name: 'by-tenant',
      func: 'collect',
      match: {},
      by: ['bk_biz_id'],
      windowSeconds: 86_400,
      count: 1,
      receivers: [{ receiver: 'on-call', channel: 'pager' }],
    },
  ],
  // When no cost comes in, its height is no news.
  inhibitions: [{ source: { strategy_id: [16] }, target: { strategy_id: [15] }, equal: ['bk_biz_id'] }],
  topology: { 'elb-8c0756': ['rds-cc0c53'], ec2: ['machine'] },
}
