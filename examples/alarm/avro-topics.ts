import { defineTopic, json } from 'tidemark'
import type { SchemaRegistry } from 'tidemark/registry'
import { AlertEvent, jsonTopics, RawEvent, type AlarmTopics } from './topics.js'

const dimensions = { type: 'map', values: 'string' } as const

const rawEventSchema = {
  type: 'record',
  name: 'RawEvent',
  namespace: 'alarm',
  fields: [
    { name: 'event_id', type: 'string' },
    { name: 'event_type', type: { type: 'enum', name: 'EventType', symbols: ['metric', 'event', 'heartbeat'] } },
    {
      name: 'raw_data',
      type: {
        type: 'record',
        name: 'RawData',
        fields: [
          { name: 'metric', type: 'string' },
          { name: 'value', type: 'double' },
          { name: 'dimensions', type: dimensions },
        ],
      },
    },
    { name: 'timestamp', type: 'long' },
    { name: 'bk_biz_id', type: 'long' },
    { name: 'event_source', type: 'string' },
    { name: 'priority', type: 'int' },
  ],
} as const

const tag = {
  type: 'record',
  name: 'Tag',
  fields: [
    { name: 'key', type: 'string' },
    { name: 'value', type: 'string' },
  ],
} as const

const originAlarm = {
  type: 'record',
  name: 'OriginAlarm',
  fields: [
    { name: 'anomaly_id', type: 'string' },
    {
      name: 'data',
      type: {
        type: 'record',
        name: 'Point',
        fields: [
          { name: 'record_id', type: 'string' },
          { name: 'time', type: 'long' },
          { name: 'value', type: ['null', 'double'] },
          { name: 'dimensions', type: dimensions },
        ],
      },
    },
    {
      name: 'trigger',
      type: {
        type: 'record',
        name: 'Trigger',
        fields: [
          { name: 'level', type: 'int' },
          { name: 'anomaly_ids', type: { type: 'array', items: 'string' } },
        ],
      },
    },
    { name: 'strategy_snapshot_key', type: 'string' },
  ],
} as const

const alertEventSchema = {
  type: 'record',
  name: 'AlertEvent',
  namespace: 'alarm',
  fields: [
    { name: 'event_id', type: 'string' },
    { name: 'alert_key', type: 'string' },
    { name: 'plugin_id', type: 'string' },
    { name: 'strategy_id', type: 'long' },
    { name: 'alert_name', type: 'string' },
    { name: 'description', type: 'string' },
    { name: 'severity', type: 'int' },
    { name: 'status', type: { type: 'enum', name: 'Status', symbols: ['ABNORMAL', 'RECOVERED', 'CLOSED'] } },
    { name: 'tags', type: { type: 'array', items: tag } },
    { name: 'target_type', type: 'string' },
    { name: 'target', type: 'string' },
    { name: 'metric', type: { type: 'array', items: 'string' } },
    { name: 'category', type: 'string' },
    {
      name: 'data_type',
      type: { type: 'enum', name: 'DataType', symbols: ['time_series', 'log', 'event', 'alert'] },
    },
    { name: 'dedupe_keys', type: { type: 'array', items: 'string' } },
    { name: 'time', type: 'long' },
    { name: 'anomaly_time', type: 'long' },
    { name: 'bk_biz_id', type: 'long' },
    { name: 'bk_tenant_id', type: 'string' },
    {
      name: 'extra_info',
      type: { type: 'record', name: 'ExtraInfo', fields: [{ name: 'origin_alarm', type: originAlarm }] },
    },
  ],
} as const

/**
 * The same topics as Avro. Zod has its say as before, and records that were written as JSON are read, so a pipeline may
 * change over while it runs.
 */
export async function avroTopics(registry: SchemaRegistry): Promise<AlarmTopics> {
  // Loaded on demand: avsc is an optional peer, and the demo runs without it.
  const { avro } = await import('tidemark/avro')
  return {
    ...jsonTopics,
    rawEvents: defineTopic({
      name: 'raw_events',
      key: 'bk_biz_id',
      value: avro({ registry, schema: rawEventSchema, check: RawEvent, otherwise: json(RawEvent) }),
      partitions: jsonTopics.rawEvents.partitions,
    }),
    alerts: defineTopic({
      name: 'alerts',
      key: 'alert_key',
      value: avro({ registry, schema: alertEventSchema, check: AlertEvent, otherwise: json(AlertEvent) }),
      partitions: jsonTopics.alerts.partitions,
    }),
  }
}

/** JSON, or Avro by the registry at this address. */
export async function openTopics(url: string | undefined): Promise<AlarmTopics> {
  if (url === undefined) return jsonTopics
  const { schemaRegistry } = await import('tidemark/registry')
  return avroTopics(schemaRegistry({ urls: url }))
}
