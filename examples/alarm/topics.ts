import { z } from 'zod'
import { bytes, defineTopic, json } from 'tidemark'

/** 1 fatal, 2 warning, 3 remind. */
const Severity = z.union([z.literal(1), z.literal(2), z.literal(3)])
const Dimensions = z.record(z.string(), z.string())
const UnixSeconds = z.number().int().nonnegative()

export const RawEvent = z.object({
  event_id: z.string().min(1),
  event_type: z.enum(['metric', 'event', 'heartbeat']),
  raw_data: z.object({
    metric: z.string().min(1),
    /** zod refuses NaN and the infinities, so a broken sensor ends in the dead-letter topic and not in an average. */
    value: z.number(),
    dimensions: Dimensions,
  }),
  timestamp: UnixSeconds,
  bk_biz_id: z.number().int(),
  event_source: z.string().min(1),
  priority: Severity,
})
export type RawEvent = z.infer<typeof RawEvent>

/** Holds no time of ours: the payload of a replay must equal the first one. */
export const AlertEvent = z.object({
  event_id: z.string().min(1),
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

/** By tenant: a series stays on one partition, so its points arrive in the order they were sent. */
export const rawEvents = defineTopic({ name: 'raw_events', key: 'bk_biz_id', value: json(RawEvent), partitions: 4 })

/** By what the alert is about: one instance sees all its events, in order. */
export const alerts = defineTopic({ name: 'alerts', key: 'alert_key', value: json(AlertEvent), partitions: 4 })

/** What cannot be read as a raw event, byte for byte, with the reason in its headers. */
export const rawEventsDeadLetters = defineTopic({ name: 'raw_events.dlq', value: bytes(), partitions: 4 })

/** What the services read and write; by a schema registry they are another (`avro-topics.ts`). */
export const jsonTopics = { rawEvents, alerts, rawEventsDeadLetters }
export type AlarmTopics = typeof jsonTopics
