import { z } from 'zod'
import { bytes, defineTopic, json, type Topic, type ValueOf } from 'tidemark'
import { controlTopic } from 'tidemark/degrade'

/** 1 fatal, 2 warning, 3 remind. */
const Severity = z.union([z.literal(1), z.literal(2), z.literal(3)])
const Dimensions = z.record(z.string(), z.string())
const UnixSeconds = z.number().int().nonnegative()

/** So that whatever is made of them fits into a column of any database, and into a record. */
const mostDimensionBytes = 8_192
const isSmall = (dimensions: object): boolean => Buffer.byteLength(JSON.stringify(dimensions)) <= mostDimensionBytes
const Name = z.string().min(1).max(1_024)

export const RawEvent = z.object({
  event_id: Name,
  event_type: z.enum(['metric', 'event', 'heartbeat']),
  raw_data: z.object({
    metric: Name,
    /** zod refuses NaN and the infinities, so a broken sensor ends in the dead-letter topic and not in an average. */
    value: z.number(),
    dimensions: Dimensions.refine(isSmall, `expected at most ${mostDimensionBytes} bytes of dimensions`),
  }),
  timestamp: UnixSeconds,
  bk_biz_id: z.number().int(),
  event_source: Name,
  priority: Severity,
})
export type RawEvent = z.infer<typeof RawEvent>

/** Without white space and control characters: to MySQL `a` and `a ` are one key, PostgreSQL takes no NUL. */
const Id = z.string().regex(/^[^\s\p{C}]{1,190}$/u)

/** Holds no time of ours: the payload of a replay must equal the first one. */
export const AlertEvent = z.object({
  event_id: Id,
  alert_key: z.string().length(64),
  plugin_id: z.string(),
  strategy_id: z.number().int(),
  alert_name: z.string(),
  description: z.string(),
  severity: Severity,
  status: z.enum(['ABNORMAL', 'RECOVERED', 'CLOSED']),
  tags: z.array(z.object({ key: z.string(), value: z.string() })),
  target_type: z.string(),
  target: z.string(),
  metric: z.array(z.string()),
  category: z.string(),
  data_type: z.enum(['time_series', 'log', 'event', 'alert']),
  dedupe_keys: z.array(z.string()),
  /** Data time of the point that decided. */
  time: UnixSeconds,
  /** Data time of the first anomaly in the window. */
  anomaly_time: UnixSeconds,
  bk_biz_id: z.number().int(),
  bk_tenant_id: z.string(),
  extra_info: z.object({
    origin_alarm: z.object({
      anomaly_id: z.string(),
      /** `value` is null where a point is missing. */
      data: z.object({
        record_id: z.string(),
        time: UnixSeconds,
        value: z.number().nullable(),
        dimensions: Dimensions,
      }),
      trigger: z.object({ level: Severity, anomaly_ids: z.array(z.string()) }),
      /** The version of the rule that judged, for the stages behind. */
      strategy_snapshot_key: z.string(),
    }),
  }),
})
export type AlertEvent = z.infer<typeof AlertEvent>

/** Access has checked what it sends. */
const rawEvent = json(RawEvent, { checkOnEncode: false })

/** By tenant: a series stays on one partition, so its points arrive in the order they were sent. */
export const rawEvents = defineTopic({ name: 'raw_events', key: 'bk_biz_id', value: rawEvent, partitions: 4 })

/** By what the alert is about: one instance sees all its events, in order. */
export const alerts = defineTopic({ name: 'alerts', key: 'alert_key', value: json(AlertEvent), partitions: 4 })

/** What cannot be read as a raw event, byte for byte, with the reason in its headers. */
export const rawEventsDeadLetters = defineTopic({ name: 'raw_events.dlq', value: bytes(), partitions: 4 })

/** What was not handled because there was too much to do, with its reason: nothing goes without a trace. */
const shed = defineTopic({ name: 'shed', key: 'event_id', value: rawEvent, partitions: 1 })

/** The level of degradation that holds, told to all processes. */
const control = controlTopic('control')

/** What became of an alert: one record for each version, sent by an outbox, so only what is committed is told. */
export const AlertStatus = z.object({
  alert_id: z.string().min(1),
  alert_key: z.string().min(1),
  /** 1, 2, 3 … without holes. */
  version: z.number().int().positive(),
  /** What happened; `none`: nothing that somebody is to be told of. `superseded`: a severer alert took its place. */
  signal: z.enum(['abnormal', 'recovered', 'closed', 'superseded', 'ack', 'shielded', 'unshielded', 'none']),
  status: AlertEvent.shape.status,
  severity: Severity,
  ack: z.boolean(),
  shield: z.boolean(),
  /** Data time of what happened. */
  at: UnixSeconds,
  alert_name: z.string(),
  strategy_id: z.number().int(),
  bk_biz_id: z.number().int(),
  target: z.string(),
  tags: AlertEvent.shape.tags,
  begin_time: UnixSeconds,
  latest_time: UnixSeconds,
  end_time: UnixSeconds.nullable(),
  event_count: z.number().int(),
})
export type AlertStatus = z.infer<typeof AlertStatus>

const dayMs = 86_400_000

/**
 * The last version of each alert stays for good, so a view can be built from the start; all versions stay for a week, for
 * readers that want each change, as converge does.
 */
export const alertStatus = defineTopic({
  ...{ name: 'alert_status', key: 'alert_id', value: json(AlertStatus), partitions: 4 },
  configs: { 'cleanup.policy': 'compact', 'min.compaction.lag.ms': 7 * dayMs },
})
const alertsDeadLetters = defineTopic({ name: 'alerts.dlq', value: bytes(), deadLettersOf: alerts })
const repartitionDeadLetters = defineTopic({ name: 'repartition.dlq', value: bytes(), deadLettersOf: alertStatus })
/** What Elasticsearch refuses for good. */
const searchDeadLetters = defineTopic({ name: 'search.dlq', value: bytes(), deadLettersOf: alertStatus })

/** A change of an alert, on the way to what it is folded with: by its dimension, which is not the alert. */
const ConvergeInput = z.object({ dimension: z.string().length(64), rule: z.string(), alert: AlertStatus })
export type ConvergeInput = z.infer<typeof ConvergeInput>

/** A window of a dimension, when it opens and when it is over. */
const ConvergedAlert = z.object({
  converge_id: z.string().length(64),
  dimension: z.string(),
  rule: z.string(),
  func: z.string(),
  status: z.enum(['open', 'closed']),
  window: z.object({ from: UnixSeconds, to: UnixSeconds }),
  /** The alert that opened it, and all by and by, up to 10,000. */
  primary: z.string(),
  members: z.array(z.string()),
  executed: z.number().int(),
  skipped: z.number().int(),
  late: z.number().int(),
  root_cause: z.string().nullable(),
})
export type ConvergedAlert = z.infer<typeof ConvergedAlert>

/** One word to one receiver by one channel. */
const Notice = z.object({
  notice_id: z.string().length(64),
  alert_id: z.string(),
  version: z.number().int(),
  /** `summary`: of a window, for all that were not told of one by one. */
  signal: z.union([AlertStatus.shape.signal, z.literal('summary')]),
  receiver: z.string().min(1),
  channel: z.string().min(1),
  severity: Severity,
  text: z.string(),
  at: UnixSeconds,
})
export type Notice = z.infer<typeof Notice>

const convergeInput = defineTopic({
  ...{ name: 'converge_input', key: 'dimension', value: json(ConvergeInput), partitions: 4 },
})
/** Changes of alerts by a rule that is gone. */
const convergeDeadLetters = defineTopic({ name: 'converge.dlq', value: bytes(), deadLettersOf: convergeInput })
const convergedAlerts = defineTopic({
  ...{ name: 'converged_alerts', key: 'dimension', value: json(ConvergedAlert), partitions: 4 },
})
export const notices = defineTopic({ name: 'notices', key: 'receiver', value: json(Notice), partitions: 4 })
const noticesDeadLetters = defineTopic({ name: 'notices.dlq', value: bytes(), deadLettersOf: notices })

/** What the services read and write; by a schema registry they are another (`avro-topics.ts`). */
export const jsonTopics = {
  ...{ rawEvents, rawEventsDeadLetters, shed, control, alerts, alertsDeadLetters, alertStatus, repartitionDeadLetters },
  ...{ convergeInput, convergeDeadLetters, convergedAlerts, notices, noticesDeadLetters, searchDeadLetters },
}
export type AlarmTopics = { readonly [Name in keyof typeof jsonTopics]: Topic<ValueOf<(typeof jsonTopics)[Name]>> }
