import { defineTopic, json } from 'tidemark'
import type { AvroSchema } from 'tidemark/avro'
import type { SchemaRegistry } from 'tidemark/registry'
import { z } from 'zod'
import { AlertEvent, jsonTopics, RawEvent, type AlarmTopics } from './topics.js'

/** What zod tells of a shape. */
interface Shape {
  readonly type?: string | readonly string[]
  readonly enum?: readonly string[]
  readonly anyOf?: readonly Shape[]
  readonly items?: Shape
  readonly properties?: Readonly<Record<string, Shape>>
  readonly additionalProperties?: Shape | false
}

/** The Avro schema of a shape, so that each is said once: in `topics.ts`. Named types are named by their field. */
function avroOf(name: string, { type, anyOf, items, properties, additionalProperties, ...shape }: Shape): AvroSchema {
  // A choice of numbers, as a severity is.
  if (anyOf) return 'int'
  if (type instanceof Array) return ['null', avroOf(name, { type: type.find((one) => one !== 'null') ?? 'null' })]
  if (shape.enum) return { type: 'enum', name, symbols: [...shape.enum] }
  if (items) return { type: 'array', items: avroOf(name, items) }
  if (properties) {
    const fields = Object.entries(properties).map(([field, of]) => ({
      name: field,
      type: avroOf(`${name}_${field}`, of),
    }))
    return { type: 'record', name, fields }
  }
  if (additionalProperties) return { type: 'map', values: avroOf(name, additionalProperties) }
  return ({ string: 'string', integer: 'long', number: 'double' } as const)[type as 'string']
}

/**
 * The same topics as Avro. Zod has its say as before, and records that were written as JSON are read, so a pipeline may
 * change over while it runs.
 */
export async function avroTopics(registry: SchemaRegistry): Promise<AlarmTopics> {
  // Loaded on demand: avsc is an optional peer, and the demo runs without it.
  const { avro } = await import('tidemark/avro')
  const valueOf = <Check extends z.ZodType>(name: string, check: Check) =>
    avro({ registry, schema: avroOf(name, z.toJSONSchema(check) as Shape), check, otherwise: json(check) })
  return {
    ...jsonTopics,
    rawEvents: defineTopic({
      ...{ name: jsonTopics.rawEvents.name, key: 'bk_biz_id', partitions: jsonTopics.rawEvents.partitions },
      value: valueOf('RawEvent', RawEvent),
    }),
    alerts: defineTopic({
      ...{ name: jsonTopics.alerts.name, key: 'alert_key', partitions: jsonTopics.alerts.partitions },
      value: valueOf('AlertEvent', AlertEvent),
    }),
  }
}

/** JSON, or Avro by the registry at this address. */
export async function openTopics(url: string | undefined): Promise<AlarmTopics> {
  if (url === undefined) return jsonTopics
  const { schemaRegistry } = await import('tidemark/registry')
  return avroTopics(schemaRegistry({ urls: url }))
}
