import { alertEventId, alertKey, recordId } from '../ids.js'
import type { Rule } from '../rules.js'
import type { AlertEvent, RawEvent } from '../topics.js'
import type { Finding } from './rule-state.js'

const tenantId = 'default'

/** The message for the `alerts` topic. A function of the input only: the same finding makes the same bytes. */
export function toAlertEvent(rule: Rule, series: string, raw: RawEvent, finding: Finding): AlertEvent {
  const { dimensions } = raw.raw_data
  const { strategyId, targetType, target } = rule
  const { time, value } = finding.point
  return {
    event_id: alertEventId(finding.anomalyId, finding.status),
    alert_key: alertKey({ tenantId, bizId: raw.bk_biz_id, strategyId, targetType, target, dimensions }),
    plugin_id: 'tidemark-example',
    strategy_id: strategyId,
    alert_name: rule.name,
    description: describe(rule, finding),
    severity: finding.severity,
    status: finding.status,
    tags: Object.entries(dimensions).map(([key, text]) => ({ key, value: text })),
    target_type: targetType,
    target,
    metric: [rule.metric],
    category: rule.category,
    data_type: 'time_series',
    dedupe_keys: Object.keys(dimensions).map((key) => `tags.${key}`),
    time,
    anomaly_time: finding.firstAnomalyTime,
    bk_biz_id: raw.bk_biz_id,
    bk_tenant_id: tenantId,
    extra_info: {
      origin_alarm: {
        anomaly_id: finding.anomalyId,
        data: { record_id: recordId(series, time), time, value, dimensions },
        trigger: { level: finding.severity, anomaly_ids: [...finding.anomalyIds] },
        strategy_snapshot_key: `strategy.snapshot.${strategyId}.${rule.version}`,
      },
    },
  }
}

function describe(rule: Rule, finding: Finding): string {
  const level = rule.levels.find((one) => one.severity === finding.severity)
  if (finding.status === 'RECOVERED') return `${rule.metric} is well for ${level?.recovery.window ?? 0} periods`
  return `${rule.metric} is ${finding.point.value}: ${finding.anomalyIds.length} of ${level?.trigger.window ?? 0} periods anomalous`
}
