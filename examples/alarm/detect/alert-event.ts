import { alertEventId, alertKey, recordId } from '../ids.js'
import type { AlertEvent } from '../topics.js'
import type { Finding } from './rule-state.js'
import type { Strategy } from './rule.js'

const tenantId = 'default'
/** Whose events these are: others may send to `alerts` too. */
export const plugin = 'tidemark-example'

export interface SeriesIdentity {
  readonly id: string
  readonly dimensions: Readonly<Record<string, string>>
}

/** The message for the `alerts` topic. A function of the input only: the same finding makes the same bytes. */
export function toAlertEvent(rule: Strategy, { id, dimensions }: SeriesIdentity, finding: Finding): AlertEvent {
  const { strategyId, targetType, target, bizId } = rule
  const { status, severity, time, value, anomalyId } = finding
  return {
    event_id: alertEventId(anomalyId, status),
    alert_key: alertKey(tenantId, rule, dimensions),
    plugin_id: plugin,
    strategy_id: strategyId,
    alert_name: rule.name,
    description: finding.description,
    severity,
    status,
    tags: Object.entries(dimensions).map(([key, text]) => ({ key, value: text })),
    target_type: targetType,
    target,
    metric: [rule.metric],
    category: rule.category,
    data_type: 'time_series',
    dedupe_keys: Object.keys(dimensions).map((key) => `tags.${key}`),
    time,
    anomaly_time: finding.firstAnomalyTime,
    bk_biz_id: bizId,
    bk_tenant_id: tenantId,
    extra_info: {
      origin_alarm: {
        anomaly_id: anomalyId,
        data: { record_id: recordId(id, time), time, value, dimensions },
        trigger: { level: severity, anomaly_ids: [...finding.anomalyIds] },
        strategy_snapshot_key: `strategy.snapshot.${strategyId}.${rule.version}`,
      },
    },
  }
}
