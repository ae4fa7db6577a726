import type { z } from 'zod'

/** The parts of a zod schema's definition that are walked here. */
interface Definition {
  readonly type: string
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly element?: z.ZodType
  readonly valueType?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly getter?: () => z.ZodType
  readonly defaultValue?: unknown
  /** Of a literal. */
  readonly values?: readonly unknown[]
}

/** The schemas that describe the value at a path: several where a union has several branches for it. */
export function schemaAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly z.ZodType[] {
  return path.reduce<readonly z.ZodType[]>((schemas, key) => schemas.flatMap((one) => childrenAt(one, key)), [schema])
}

/** Names of the options of an object schema. */
export function optionNames(schemas: readonly z.ZodType[]): readonly string[] {
  const shapes = schemas.flatMap(branches).map((one) => definitionOf(one).shape ?? {})
  return [...new Set(shapes.flatMap((shape) => Object.keys(shape)))]
}

/** The values of literals. */
export function valuesOf(schemas: readonly z.ZodType[]): readonly string[] {
  return schemas.flatMap(branches).flatMap((one) => (definitionOf(one).values ?? []).map(String))
}

/** The description of the option at a path, from the schema or from one it wraps. */
export function descriptionOf(schema: z.ZodType, path: readonly PropertyKey[]): string | undefined {
  return schemaAt(schema, path)
    .map(ownDescription)
    .find((description) => description !== undefined)
}

/** Is one of a list of values all that the option may be? */
export function isListed(schema: z.ZodType, path: readonly PropertyKey[]): boolean {
  const found = schemaAt(schema, path).flatMap(branches)
  return found.length > 0 && found.every((one) => ['enum', 'literal'].includes(definitionOf(one).type))
}

/** One option with everything the schema knows about it. */
export interface OptionEntry {
  /** Dotted path. */
  readonly path: string
  readonly description: string | undefined
  /** `undefined` when it must be given or may be left out. */
  readonly default: unknown
}

/** Every option of a schema, depth first: what a docs table and `config explain` are made from. */
export function listOptions(schema: z.ZodType, parent = ''): readonly OptionEntry[] {
  return branches(schema).flatMap((branch) =>
    Object.entries(definitionOf(branch).shape ?? {}).flatMap(([name, field]) => {
      const path = parent === '' ? name : `${parent}.${name}`
      return [{ path, description: ownDescription(field), default: defaultOf(field) }, ...listOptions(field, path)]
    }),
  )
}

function definitionOf(schema: z.ZodType): Definition {
  return schema.def as unknown as Definition
}

function ownDescription(schema: z.ZodType): string | undefined {
  const inner = innerOf(schema)
  return schema.description ?? (inner === undefined ? undefined : ownDescription(inner))
}

function defaultOf(schema: z.ZodType): unknown {
  const { type, defaultValue } = definitionOf(schema)
  if (type === 'default' || type === 'prefault') return defaultValue
  const inner = innerOf(schema)
  return inner === undefined ? undefined : defaultOf(inner)
}

/** What optional, default, nullable, readonly, pipe and lazy wrap. */
function innerOf(schema: z.ZodType): z.ZodType | undefined {
  const { innerType, in: input, getter } = definitionOf(schema)
  return innerType ?? input ?? getter?.()
}

/** A schema without its wrappers; a union as its branches. */
function branches(schema: z.ZodType): readonly z.ZodType[] {
  const inner = innerOf(schema)
  if (inner !== undefined) return branches(inner)
  const { options } = definitionOf(schema)
  return options === undefined ? [schema] : options.flatMap(branches)
}

function childrenAt(schema: z.ZodType, key: PropertyKey): readonly z.ZodType[] {
  return branches(schema).flatMap((branch) => {
    const { shape, element, valueType } = definitionOf(branch)
    const child = shape === undefined ? (element ?? valueType) : shape[String(key)]
    return child === undefined ? [] : [child]
  })
}
