import type { StandardSchemaV1 } from '@standard-schema/spec'
import type avsc from 'avsc'
import { ConfigError, type ConfigIssue } from '../errors.js'
import { anything, flag, optionIssues, wholeNumber, withMethods, type Rules } from '../input/option-rules.js'
import { isRecord } from '../input/shapes.js'
import type { SchemaRegistry } from '../registry/schema.js'
import { SchemaCache } from '../registry/schema-cache.js'
import type { SubjectStrategy } from '../registry/subject.js'
import { systemRuntime, type Runtime } from '../runtime/runtime.js'
import { schemaCheck } from '../serde/schema-check.js'
import { SerdeError } from '../serde/serde-error.js'
import type { Serde } from '../serde/serde.js'
import { AvroSerde, type WritingType } from './avro-serde.js'
import type { AvroSchema, AvroValue } from './avro-value.js'
import { compile, compileRegistered, type CompileSettings } from './compile.js'
import type { Reads } from './cursor.js'
import type { LogicalTypeClass } from './logical-types.js'
import { resolverInto } from './resolver.js'

/** What `avro` is given. */
export interface AvroOptions<Schema = AvroSchema, Longs extends 'number' | 'bigint' = 'number' | 'bigint'> {
  /** What `schemaRegistry` returned. */
  readonly registry: SchemaRegistry
  /**
   * The schema that values are written by, and read into: what older and newer writers wrote is brought to its form. JSON
   * text, or an object; written in place its values are typed. Without it the serde only reads, each record as its writer
   * wrote it.
   */
  readonly schema?: Schema | undefined
  /** Under which subject the schema stands: `topic` (the default) is `orders-value`. */
  readonly subject?: SubjectStrategy | undefined
  /** Register the schema before the first record is sent. Default true; false takes only one that is registered. */
  readonly register?: boolean | undefined
  /** How records that name no schema are read, as those of before the topic had one: `json(…)`. Default: they are refused. */
  readonly otherwise?: Serde<unknown> | undefined
  /** Checks values beside Avro (zod, valibot, ArkType): when written, and when read, where its output is the value. */
  readonly check?: StandardSchemaV1 | undefined
  /** What a `long` is. Default `number`, which refuses what it would round. */
  readonly longs?: Longs | undefined
  /** Classes of avsc for logical types, beside or instead of our own (`timestamp-millis` and `date` as Date, `decimal` and `uuid` as text). */
  readonly logicalTypes?: Readonly<Record<string, LogicalTypeClass>> | undefined
  /** Most schemas of writers that are kept. Default 1,000; more than a consumer holds records of at once. */
  readonly mostSchemas?: number | undefined
  /** Time and chance; for tests. */
  readonly runtime?: Runtime | undefined
}

const rules: Rules<AvroOptions> = {
  registry: withMethods("what schemaRegistry() of 'tidemark/registry' returned", ['schemaById', 'register', 'idOf']),
  schema: { expected: 'an Avro schema, as JSON text or as an object', accepts: isSchema },
  subject: { expected: "'topic', 'record', 'topic-record' or a function", accepts: isStrategy },
  register: flag,
  otherwise: withMethods('a serde, as json(…)', ['encode', 'decode']),
  check: { expected: 'a schema of zod, valibot or ArkType', accepts: (value) => hasStandard(value) },
  longs: { expected: "'number' or 'bigint'", accepts: (value) => value === 'number' || value === 'bigint' },
  logicalTypes: { expected: 'an object of classes', accepts: isRecord },
  mostSchemas: wholeNumber(1),
  runtime: anything,
}

/**
 * Avro with a schema registry: each record begins with the id of the schema that it was written by.
 *
 * A record whose schema is not known here waits until the registry has told it, in order and without an attempt spent; an
 * outage of the registry gives nothing up. Records whose id the registry does not have, and bytes that are not what their
 * schema says, are undecodable like any others. The first send to a topic waits until the schema has its id; when that
 * cannot be had the send fails as *not stored*.
 *
 * @throws ConfigError with every problem; SerdeError for a value that does not fit, with places and no content
 *
 * @example
 * const registry = schemaRegistry({ urls: 'http://localhost:8081' })
 * const orders = defineTopic({
 *   name: 'orders',
 *   key: 'id',
 *   value: avro({
 *     registry,
 *     schema: { type: 'record', name: 'Order', fields: [{ name: 'id', type: 'string' }, { name: 'cents', type: 'long' }] },
 *   }),
 * })
 */
export function avro<const Schema extends AvroSchema, Longs extends 'number' | 'bigint' = 'number'>(
  options: AvroOptions<Schema, Longs> & { readonly schema: Schema; readonly check?: undefined },
): Serde<AvroValue<Schema, { longs: Longs }>>
/** With a schema that the compiler does not see, or none: the type of the values is said by you, or by `check`. */
export function avro<Check extends StandardSchemaV1>(
  options: AvroOptions & { readonly check: Check },
): Serde<StandardSchemaV1.InferOutput<Check>>
export function avro<Value = unknown>(options: AvroOptions): Serde<Value>
export function avro(options: AvroOptions): Serde<unknown> {
  const issues = misplaced(options) ?? optionIssues(options, rules)
  if (issues.length === 0 && options.registry === undefined) issues.push(noRegistry)
  if (issues.length > 0) throw new ConfigError('avro()', issues)
  const { registry, schema, check, otherwise, runtime = systemRuntime, mostSchemas = 1_000 } = options
  const settings: CompileSettings = { longs: options.longs ?? 'number', logicalTypes: options.logicalTypes ?? {} }
  const writes = schema === undefined ? null : writingBy(schema, settings)
  const readers = new SchemaCache<Reads>({
    registry,
    compile: async (registered) =>
      readerOf(await compileRegistered(registered, registry, settings), writes?.type ?? null),
    runtime,
    mostSchemas,
  })
  return new AvroSerde(
    {
      writes,
      registry,
      subject: options.subject ?? 'topic',
      register: options.register ?? true,
      readers,
      check: check === undefined ? null : schemaCheck(check),
      otherwise: otherwise ?? null,
    },
    null,
  )
}

function writingBy(schema: AvroSchema, settings: CompileSettings): WritingType {
  const text = typeof schema === 'string' && /^\s*[[{"]/.test(schema) ? schema : JSON.stringify(schema)
  try {
    return { type: compile(schema, settings), schema: { schema: text, schemaType: 'AVRO', references: [] } }
  } catch (error) {
    const message = (error as SerdeError).message
    throw new ConfigError('avro()', [{ path: 'schema', message, fix: 'correct the schema' }])
  }
}

/** @param into what values are brought to; `null` leaves them as they were written */
function readerOf(written: avsc.Type, into: avsc.Type | null): Reads {
  if (into === null || into.equals(written)) {
    return (into ?? written) as unknown as Reads
  }
  let resolver: ReturnType<avsc.Type['createResolver']>
  try {
    resolver = resolverInto(into, written)
  } catch (cause) {
    const error = new SerdeError(
      'malformed',
      'the schema that the record was written by cannot be brought to the schema given here; look at the compatibility of the subject',
    )
    error.cause = cause
    throw error
  }
  return resolver as unknown as Reads
}

/** What comes of mistaking one thing for another is told as that. */
function misplaced(options: unknown): ConfigIssue[] | null {
  if (!isRecord(options)) return null
  const { registry, schema, type } = options
  if (registry === undefined && schema === undefined && type !== undefined) {
    return [{ path: 'options', message: 'is a schema', fix: 'write avro({ registry, schema })' }]
  }
  if (isTransport(registry)) {
    const fix = 'write registry: schemaRegistry({ transport: … }) with it'
    return [{ path: 'registry', message: 'is how a registry is reached', fix }]
  }
  if (hasStandard(schema)) {
    const fix = 'write check with it, and the Avro schema as schema'
    return [{ path: 'schema', message: 'is what checks values, and no Avro schema', fix }]
  }
  if (typeof schema === 'string' && /\.(?:avsc|json)\s*$/.test(schema)) {
    const fix = "read it: schema: readFileSync(path, 'utf8')"
    return [{ path: 'schema', message: 'is the name of a file', fix }]
  }
  return null
}

function isTransport(registry: unknown): boolean {
  return isRecord(registry) && typeof registry.send === 'function' && registry.schemaById === undefined
}

const noRegistry: ConfigIssue = {
  path: 'registry',
  message: 'is missing',
  fix: "write registry: schemaRegistry({ urls: … }) of 'tidemark/registry'",
}

function isSchema(value: unknown): boolean {
  if (typeof value === 'string') return value !== ''
  return Array.isArray(value) || (isRecord(value) && 'type' in value && !('~standard' in value))
}

function isStrategy(value: unknown): boolean {
  return value === 'topic' || value === 'record' || value === 'topic-record' || typeof value === 'function'
}

function hasStandard(value: unknown): boolean {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
}
