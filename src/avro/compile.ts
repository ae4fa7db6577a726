import avsc from 'avsc'
import { isRecord } from '../input/shapes.js'
import type { RegisteredSchema, SchemaReference, SchemaRegistry } from '../registry/schema.js'
import { SerdeError } from '../serde/serde-error.js'
import { BoundedArray, BoundedMap } from './bounded-collections.js'
import { ExactLong, LongAsDouble, LongAsFloat } from './exact-long.js'
import { isMisplaced, logicalTypes, type LogicalTypeClass } from './logical-types.js'

export interface CompileSettings {
  /** What becomes of a `long`. */
  readonly longs: 'number' | 'bigint'
  readonly logicalTypes: Readonly<Record<string, LogicalTypeClass>>
}

/** References of references end somewhere: a circle of them would not. */
const mostReferences = 1_000

/** The type of a schema as a registry keeps it, with all that it refers to. Throws `SerdeError` on one that is no Avro. */
export async function compileRegistered(
  schema: RegisteredSchema,
  registry: SchemaRegistry,
  settings: CompileSettings,
): Promise<avsc.Type> {
  if (schema.schemaType !== 'AVRO') {
    throw new SerdeError('malformed', `the record was written by a schema of ${schema.schemaType}, not of Avro`)
  }
  const known = byName<avsc.Type>()
  await compileReferences(schema.references, registry, { settings, known, seen: new Set() })
  return compileForeign(schema.schema, settings, known)
}

/** The type of a schema: JSON text, or what that text says. @param known by full name, for what it refers to; grows by what it defines */
export function compile(
  schema: unknown,
  { longs, logicalTypes: own }: CompileSettings,
  known: Record<string, avsc.Type> = byName(),
): avsc.Type {
  const logical = Object.assign(byName<LogicalTypeClass>(), logicalTypes, own)
  try {
    return avsc.Type.forSchema(parsed(schema), {
      registry: known,
      logicalTypes: logical,
      typeHook: ownTypes(longs, logical),
    })
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message.slice(0, 200) : typeof cause
    const error = new SerdeError('malformed', `the Avro schema cannot be read: ${problem}`)
    error.cause = cause
    throw error
  }
}

interface Compiling {
  readonly settings: CompileSettings
  readonly known: Record<string, avsc.Type>
  readonly seen: Set<string>
}

/** What a reference refers to comes before it. */
async function compileReferences(
  references: readonly SchemaReference[],
  registry: SchemaRegistry,
  compiling: Compiling,
): Promise<void> {
  const { settings, known, seen } = compiling
  for (const { subject, version } of references) {
    const place = `${subject} ${version}`
    if (seen.has(place)) continue
    seen.add(place)
    if (seen.size > mostReferences)
      throw new SerdeError('malformed', 'the Avro schema refers to more than 1,000 others')
    const schema = await registry.version(subject, version)
    await compileReferences(schema.references, registry, compiling)
    compileForeign(schema.schema, settings, known)
  }
}

/**
 * Schemas of others, as what is read was written by. Their defaults are for readers of theirs, and registries have kept
 * schemas whose defaults do not fit their types; nothing here is read by them.
 */
function compileForeign(schema: string, settings: CompileSettings, known: Record<string, avsc.Type>): avsc.Type {
  const before = new Set(Object.keys(known))
  try {
    return compile(schema, settings, known)
  } catch (error) {
    // What it defined until then it defines again.
    for (const name of Object.keys(known)) if (!before.has(name)) delete known[name]
    try {
      return compile(withoutDefaults(schema), settings, known)
    } catch {
      throw error
    }
  }
}

function withoutDefaults(schema: string): unknown {
  return JSON.parse(schema, (_key, value: unknown) => {
    if (!isRecord(value) || typeof value.name !== 'string') return value
    const { default: _unused, ...rest } = value
    return rest
  })
}

/** A name alone is a schema too: `string`, or quoted as JSON has it. */
function parsed(schema: unknown): avsc.Schema {
  if (typeof schema !== 'string') return schema as avsc.Schema
  return /^\s*[[{"]/.test(schema) ? (JSON.parse(schema) as avsc.Schema) : schema
}

const bigLong = avsc.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(value)
    return bytes
  },
  fromJSON: (value: number | string) => BigInt(value),
  toJSON: (value: bigint) => Number(value),
  isValid: (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value,
  compare: (one: bigint, other: bigint) => (one === other ? 0 : one < other ? -1 : 1),
})

/** Types may have the names that every object of JavaScript inherits. */
function byName<Type>(): Record<string, Type> {
  return Object.create(null) as Record<string, Type>
}

/** Types of ours in place of avsc's: a long, those that may be read from one, and those that hold many. */
function ownTypes(
  longs: CompileSettings['longs'],
  logical: CompileSettings['logicalTypes'],
): (schema: avsc.Schema, options: object) => avsc.Type | undefined {
  const plain = () => (longs === 'bigint' ? bigLong : new ExactLong())
  // avsc asks twice for a schema with a logical type: for that, then for what it stands on.
  const asked = new Set<unknown>()
  const isForLogical = (schema: Readonly<Record<string, unknown>>): boolean => {
    const isKnown = typeof schema.logicalType === 'string' && logical[schema.logicalType] !== undefined
    if (!isKnown || asked.delete(schema)) return false
    asked.add(schema)
    return true
  }
  return (schema, options) => {
    if (isRecord(schema) && isMisplaced(schema, logical)) {
      const { logicalType: _ignored, ...plainly } = schema
      return avsc.Type.forSchema(plainly as unknown as avsc.Schema, options)
    }
    const name = isRecord(schema) ? schema.type : schema
    if (name === 'double') return isLogical(schema) ? undefined : new LongAsDouble()
    if (name === 'float') return isLogical(schema) ? undefined : new LongAsFloat()
    if (schema === 'long') return plain()
    if (!isRecord(schema)) return undefined
    if (schema.type === 'record' || schema.type === 'error') return refuseFieldProto(schema)
    if (schema.type === 'array') return isForLogical(schema) ? undefined : new BoundedArray(schema as never, options)
    if (schema.type === 'map') return isForLogical(schema) ? undefined : new BoundedMap(schema as never, options)
    if (schema.type !== 'long') return undefined
    if (schema.logicalType === undefined) return plain()
    return isForLogical(schema) ? undefined : new ExactLong()
  }
}

const isLogical = (schema: avsc.Schema): boolean => isRecord(schema) && schema.logicalType !== undefined

/** Such a field would say what the record inherits from, and be lost. */
function refuseFieldProto({ fields }: Readonly<Record<string, unknown>>): undefined {
  const isProto = (field: unknown) => isRecord(field) && field.name === '__proto__'
  if (Array.isArray(fields) && fields.some(isProto)) {
    throw new Error('a field is named __proto__, which objects of JavaScript cannot hold; give it another name')
  }
}
