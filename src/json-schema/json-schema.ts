import type { StandardSchemaV1 } from '@standard-schema/spec'
import { ConfigError, type ConfigIssue } from '../errors.js'
import { flag, optionIssues, withMethods, type Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import { RegisteredId } from '../registry/registered-id.js'
import type { RegisteredSchema, SchemaRegistry } from '../registry/schema.js'
import { subjectOf, type RecordPart, type SubjectStrategy } from '../registry/subject.js'
import { noId, prefixBytes, putSchemaId, schemaIdOf } from '../registry/wire-format.js'
import { json } from '../serde/json.js'
import { SerdeError, type ValueIssue } from '../serde/serde-error.js'
import type { Serde } from '../serde/serde.js'

/** What `jsonSchema` is given. */
export interface JsonSchemaOptions<Check extends StandardSchemaV1 = StandardSchemaV1> {
  /** What `schemaRegistry` returned. */
  readonly registry: SchemaRegistry
  /**
   * What is registered: a JSON Schema as an object or as text. Of a zod schema `z.toJSONSchema(schema)` makes one. Its
   * `title` is its name for the strategies `record` and `topic-record`. Without it the serde only reads.
   */
  readonly schema?: Readonly<Record<string, unknown>> | string | undefined
  /** Checks values when they are written, and when they are read, where its output is the value (zod, valibot, ArkType). */
  readonly check?: Check | undefined
  /** Under which subject the schema stands: `topic` (the default) is `orders-value`. */
  readonly subject?: SubjectStrategy | undefined
  /** Register the schema before the first record is sent. Default true; false takes only one that is registered. */
  readonly register?: boolean | undefined
  /** How records that name no schema are read, as those of before the topic had one: `json(…)`. Default: they are refused. */
  readonly otherwise?: Serde<unknown> | undefined
}

const rules: Rules<JsonSchemaOptions> = {
  registry: withMethods("what schemaRegistry() of 'tidemark/registry' returned", ['schemaById', 'register', 'idOf']),
  schema: { expected: 'a JSON Schema, as text or as an object', accepts: (value) => schemaText(value) !== null },
  check: {
    expected: 'a schema of zod, valibot or ArkType',
    accepts: (value) =>
      (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value,
  },
  subject: {
    expected: "'topic', 'record', 'topic-record' or a function",
    accepts: (value) => ['topic', 'record', 'topic-record'].includes(value as string) || typeof value === 'function',
  },
  register: flag,
  otherwise: withMethods('a serde, as json(…)', ['encode', 'decode']),
}

/**
 * JSON behind the prefix of a schema registry, as Confluent's JSON Schema serializers write it: a zero byte, the id of the
 * schema, the text. What is checked here is checked by `check`: reading needs no schema of the registry, so it waits for none.
 *
 * @throws ConfigError with every problem; SerdeError as `json()` does
 *
 * @example
 * value: jsonSchema({ registry, schema: z.toJSONSchema(Order), check: Order })
 */
export function jsonSchema<Check extends StandardSchemaV1>(
  options: JsonSchemaOptions<Check> & { readonly check: Check },
): Serde<StandardSchemaV1.InferOutput<Check>>
export function jsonSchema<Value = unknown>(options: JsonSchemaOptions): Serde<Value>
export function jsonSchema(options: JsonSchemaOptions): Serde<unknown> {
  const issues = checkAsSchema(options) ?? optionIssues(options, rules)
  if (issues.length === 0 && options.registry === undefined) issues.push(noRegistry)
  if (issues.length > 0) throw new ConfigError('jsonSchema()', issues)
  return new JsonSchemaSerde(options, null)
}

class JsonSchemaSerde implements Serde<unknown> {
  readonly name = 'json-schema'
  readonly writing: RegisteredId | undefined
  readonly #options: JsonSchemaOptions
  readonly #json: Serde<unknown>

  constructor(options: JsonSchemaOptions, topic: string | null, part: RecordPart = 'value') {
    this.#options = options
    this.#json = options.check === undefined ? json() : json(options.check)
    this.writing = topic === null ? undefined : idFor(options, topic, part)
  }

  ofTopic = (topic: string, part?: RecordPart): JsonSchemaSerde => new JsonSchemaSerde(this.#options, topic, part)

  encode(value: unknown): Buffer {
    const { writing } = this
    if (writing === undefined) throw cannotWrite(this.#options)
    const text = this.#json.encode(value) as Buffer
    const bytes = Buffer.allocUnsafe(prefixBytes + text.length)
    putSchemaId(bytes, writing.isReady ? writing.id : noId)
    text.copy(bytes, prefixBytes)
    return bytes
  }

  decode(bytes: Buffer | null, onChanged?: (issue: ValueIssue) => void): unknown {
    if (bytes === null) {
      throw new SerdeError(
        'refused',
        'jsonSchema() takes bytes, but got null; for tombstones wrap it: nullable(jsonSchema(…))',
      )
    }
    if (schemaIdOf(bytes) !== null) return this.#json.decode(bytes.subarray(prefixBytes), onChanged)
    const { otherwise } = this.#options
    if (otherwise !== undefined) return otherwise.decode(bytes, onChanged)
    throw new SerdeError(
      'malformed',
      'the value names no schema, as it would in its first five bytes; if the topic has records of before, say how they are read: otherwise: json(…)',
    )
  }
}

function idFor(
  { registry, schema, subject = 'topic', register = true }: JsonSchemaOptions,
  topic: string,
  part: RecordPart,
): RegisteredId | undefined {
  const text = schema === undefined ? null : schemaText(schema)
  if (text === null) return undefined
  const { title } = JSON.parse(text) as { title?: unknown }
  const record = typeof title === 'string' ? title : null
  if (record === null && (subject === 'record' || subject === 'topic-record'))
    throw new ConfigError('jsonSchema()', [noTitle])
  const registered: RegisteredSchema = { schema: text, schemaType: 'JSON', references: [] }
  const name = subjectOf(subject, topic, part, record)
  return new RegisteredId({ registry, subject: name, part, schema: registered, register })
}

/** `null` when it is none. */
function schemaText(schema: unknown): string | null {
  if (isRecord(schema)) return isPlain(schema) ? JSON.stringify(schema) : null
  if (typeof schema !== 'string') return null
  try {
    return isRecord(JSON.parse(schema)) ? schema : null
  } catch {
    return null
  }
}

/** What `z.toJSONSchema` returns is; a schema of zod or valibot itself is not. */
function isPlain(schema: Readonly<Record<string, unknown>>): boolean {
  const prototype: unknown = Object.getPrototypeOf(schema)
  return (prototype === Object.prototype || prototype === null) && !Object.keys(schema).includes('~standard')
}

function cannotWrite({ schema }: JsonSchemaOptions): SerdeError {
  return new SerdeError(
    'refused',
    schema === undefined
      ? 'this jsonSchema() only reads, since it has no schema; give it one: jsonSchema({ schema, registry })'
      : 'this jsonSchema() belongs to no topic, so the subject of its schema is not known; give it to defineTopic, or take ofTopic(name) of it',
  )
}

function checkAsSchema({ schema }: { readonly schema?: unknown } = {}): ConfigIssue[] | null {
  // What z.toJSONSchema makes has it too, where nobody sees it.
  if (!isRecord(schema) || !('~standard' in schema) || isPlain(schema)) return null
  const fix = 'write check with it, and as schema what z.toJSONSchema makes of it'
  return [{ path: 'schema', message: 'is what checks values, and no JSON Schema', fix }]
}

const noRegistry: ConfigIssue = {
  path: 'registry',
  message: 'is missing',
  fix: "write registry: schemaRegistry({ urls: … }) of 'tidemark/registry'",
}

const noTitle: ConfigIssue = {
  path: 'subject',
  message: 'names the record, but the schema has no title that could be its name',
  fix: "give the schema a title, or write subject: 'topic'",
}
