import type { AlertEvent } from '../../../examples/alarm/topics.js'

export const alertEventOf = (change: Partial<AlertEvent> = {}): AlertEvent => ({
  event_id: 'event',
  alert_key: 'a'.repeat(64),
  plugin_id: 'test',
  strategy_id: 1,
  alert_name: 'test',
  description: '',
  severity: 2,
  status: 'ABNORMAL',
  tags: [],
  target_type: '',
  target: 'host',
  metric: [],
  category: '',
  data_type: 'time_series',
  dedupe_keys: [],
  time: 1_000,
  anomaly_time: 1_000,
  bk_biz_id: 2,
  bk_tenant_id: 'default',
  extra_info: {
    origin_alarm: {
      anomaly_id: '',
      data: { record_id: '', time: 0, value: 0, dimensions: {} },
      trigger: { level: 2, anomaly_ids: [] },
      strategy_snapshot_key: '',
    },
  },
  ...change,
})
