import type { AlertStatus } from '../../../examples/alarm/topics.js'

export const alertStatusOf = (change: Partial<AlertStatus> = {}): AlertStatus => ({
  ...{ alert_id: 'a.1', alert_key: 'a', version: 1, signal: 'abnormal', status: 'ABNORMAL', severity: 2 },
  ...{ ack: false, shield: false, at: 1_000, alert_name: 'test', strategy_id: 1, bk_biz_id: 2, target: 'host' },
  ...{ tags: [], begin_time: 1_000, latest_time: 1_000, end_time: null, event_count: 1 },
  ...change,
})
