import avsc from 'avsc'
import { SerdeError } from '../serde/serde-error.js'

type Resolver = ReturnType<avsc.Type['createResolver']>

/** What of avsc's resolvers is used by those who hold one. */
interface Reads {
  readonly _readerType: avsc.Type
  readonly _read: (tap: unknown) => unknown
}

interface ResolverOptions {
  /** Resolvers of records by name, for those that hold themselves. */
  readonly registry: Record<string, Resolver>
  readonly ignoreNamespaces?: boolean
}

type CreateResolver = (this: avsc.Type, writer: avsc.Type, options?: ResolverOptions) => Resolver

const types = avsc.Type.prototype as { createResolver: CreateResolver }
const strictly = types.createResolver

/**
 * Brings values of one schema into another, as Avro has it: whether a value can be read is a matter of the value where its
 * writer had a choice. avsc alone refuses a whole schema when one branch of a union, or one symbol of an enum, has no place
 * in the reader's; here only the values that have it are refused.
 *
 * @throws what avsc throws when no value of the schema can be read
 */
export function resolverInto(into: avsc.Type, written: avsc.Type): Resolver {
  try {
    return into.createResolver(written)
  } catch {
    return narrowingInto(into, written)
  }
}

/** avsc's types are frozen and ask each other by their common method, which is another while this one call runs. */
function narrowingInto(into: avsc.Type, written: avsc.Type): Resolver {
  types.createResolver = createNarrowing
  try {
    try {
      return createNarrowing.call(into, written)
    } catch {
      // Names match without their namespace too; with it they match better.
      return createNarrowing.call(into, written, { registry: {}, ignoreNamespaces: true })
    }
  } finally {
    types.createResolver = strictly
  }
}

function createNarrowing(
  this: avsc.Type,
  writer: avsc.Type,
  options: ResolverOptions = { registry: {} },
): ReturnType<CreateResolver> {
  if (isUnion(writer)) return ofUnion(this, writer.types, options)
  const narrows = isEnum(this) && isEnum(writer) && this.default === undefined
  return narrows ? ofEnum(this, writer, options) : strictly.call(this, writer, options)
}

function ofUnion(into: avsc.Type, branches: readonly avsc.Type[], options: ResolverOptions): Resolver {
  let why: unknown
  const resolvers = branches.map((branch): Reads | SerdeError => {
    const known = new Set(Object.keys(options.registry))
    try {
      return into.createResolver(branch, options as never) as unknown as Reads
    } catch (cause) {
      why = cause
      // Those of the branch are left half made.
      for (const name of Object.keys(options.registry)) if (!known.has(name)) delete options.registry[name]
      return noPlace(`branch ${branch.name ?? branch.typeName} of a union`)
    }
  })
  if (resolvers.every((one) => one instanceof SerdeError)) throw why
  return reading(into, (tap) => {
    const resolver = resolvers[(tap as Tap).readLong()]
    if (resolver === undefined) throw new Error('no such branch')
    if (resolver instanceof SerdeError) throw resolver
    return resolver._read(tap)
  })
}

/** By way of an enum that has the symbols of both. */
function ofEnum(into: EnumType, writer: EnumType, options: ResolverOptions): Resolver {
  const { name, aliases, symbols } = into
  const own = new Set(symbols)
  const both = { type: 'enum', name, aliases, symbols: [...new Set([...symbols, ...writer.symbols])] }
  const wider = strictly.call(avsc.Type.forSchema(both as avsc.Schema), writer, options) as unknown as Reads
  const refused = noPlace(`symbol of enum ${writer.name}`)
  return reading(into, (tap) => {
    const symbol = wider._read(tap)
    if (!own.has(symbol as string)) throw refused
    return symbol
  })
}

interface Tap {
  readLong(): number
}

interface UnionType extends avsc.Type {
  readonly types: readonly avsc.Type[]
}

interface EnumType extends avsc.Type {
  readonly symbols: readonly string[]
  readonly default: string | undefined
}

function isUnion(type: avsc.Type): type is UnionType {
  return avsc.Type.isType(type, 'union')
}

function isEnum(type: avsc.Type): type is EnumType {
  return avsc.Type.isType(type, 'enum')
}

function reading(type: avsc.Type, read: Reads['_read']): Resolver {
  return { _readerType: type, _read: read } satisfies Reads as unknown as Resolver
}

function noPlace(what: string): SerdeError {
  return new SerdeError('malformed', `the ${what} that the record has is none of the schema given here`)
}
