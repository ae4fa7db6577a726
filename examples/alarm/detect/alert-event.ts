import { alertEventId, alertKey, recordId } from '../ids.js'
import type { NoDataRule, Rule, Severity, Strategy } from './rule.js'
import type { AlertEvent } from '../topics.js'
import type { Finding } from './rule-state.js'
import type { SilenceFinding } from './silence.js'

const tenantId = 'default'
/** Whose events these are: others may send to `alerts` too. */
export const plugin = 'tidemark-example'

export interface SeriesIdentity {
  readonly id: string
  readonly dimensions: Readonly<Record<string, string>>
}

/** What a rule says of a series at a time. */
interface Statement {
  readonly status: AlertEvent['status']
  readonly severity: Severity
  readonly time: number
  /** `null` where the point is missing. */
  readonly value: number | null
  /** Names the event. */
  readonly anomalyId: string
  readonly anomalyIds: readonly string[]
  readonly firstAnomalyTime: number
  readonly description: string
}

/** The message for the `alerts` topic. A function of the input only: the same finding makes the same bytes. */
export function toAlertEvent(rule: Rule, series: SeriesIdentity, finding: Finding): AlertEvent {
  const { time, value } = finding.point
  const level = rule.levels.find((one) => one.severity === finding.severity)
  const description =
    finding.status === 'RECOVERED'
      ? `${rule.metric} is well for ${level?.recovery.window ?? 0} periods`
      : `${rule.metric} is ${value}: ${finding.anomalyIds.length} of ${level?.trigger.window ?? 0} periods anomalous`
  return alertEvent(rule, series, { ...finding, time, value, description })
}

/** Missing data is another alert than wrong data: one dimension more tells them apart. */
export function toSilenceEvent(rule: NoDataRule, series: SeriesIdentity, finding: SilenceFinding): AlertEvent {
  const dimensions = { ...series.dimensions, __NO_DATA_DIMENSION__: 'true' }
  const description = {
    ABNORMAL: `${rule.metric} has had no data for ${finding.missing} periods`,
    RECOVERED: `${rule.metric} has data again`,
    CLOSED: `${rule.metric} has had no data for ${finding.missing} periods and is expected no more`,
  }[finding.status]
  return alertEvent(rule, { ...series, dimensions }, { ...finding, description })
}

function alertEvent(rule: Strategy, series: SeriesIdentity, said: Statement): AlertEvent {
  const { dimensions } = series
  const { strategyId, targetType, target, bizId } = rule
  const { time, value } = said
  return {
    event_id: alertEventId(said.anomalyId, said.status),
    alert_key: alertKey({ tenantId, bizId, strategyId, targetType, target, dimensions }),
    plugin_id: plugin,
    strategy_id: strategyId,
    alert_name: rule.name,
    description: said.description,
    severity: said.severity,
    status: said.status,
    tags: Object.entries(dimensions).map(([key, text]) => ({ key, value: text })),
    target_type: targetType,
    target,
    metric: [rule.metric],
    category: rule.category,
    data_type: 'time_series',
    dedupe_keys: Object.keys(dimensions).map((key) => `tags.${key}`),
    time,
    anomaly_time: said.firstAnomalyTime,
    bk_biz_id: bizId,
    bk_tenant_id: tenantId,
    extra_info: {
      origin_alarm: {
        anomaly_id: said.anomalyId,
        data: { record_id: recordId(series.id, time), time, value, dimensions },
        trigger: { level: said.severity, anomaly_ids: [...said.anomalyIds] },
        strategy_snapshot_key: `strategy.snapshot.${strategyId}.${rule.version}`,
      },
    },
  }
}
