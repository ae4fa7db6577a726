import { z } from 'zod'
import { messagingConsumerSchema } from '../../src/config/consumer-config.js'
import { messagingOptionsSchema } from '../../src/config/messaging-options.js'
import { profiles } from '../../src/config/profiles.js'
import { producerOptionsSchema } from '../../src/producer/producer-options.js'

interface Option {
  /** Dotted. */
  readonly path: string
  readonly type: string
  readonly default: string
  readonly meaning: string
}

/** What the schemas say of an option that is given: without what makes it optional. */
interface Seen {
  readonly schema: z.core.$ZodType
  readonly default: unknown
  readonly isOptional: boolean
  readonly meaning: string
}

/** What a profile settles unless a call says otherwise. */
const byProfile: Readonly<Record<string, string>> = {
  acks: 'the profile',
  idempotent: 'the profile',
  retryInDoubt: 'the profile',
  deliveryTimeoutMs: `${spelled(profiles.cp.producer.deliveryTimeoutMs)}; \`ap\` ${spelled(profiles.ap.producer.deliveryTimeoutMs)}`,
  commit: '`closely`; `ap` every 5 s or 1,000 messages',
  onOutOfRange: '`stop`; `ap` `earliest`',
  isolation: '`read-uncommitted`; `transactional` `read-committed`',
}

function seen(schema: z.core.$ZodType): Seen {
  const { def } = schema._zod
  const meaning = z.globalRegistry.get(schema)?.description ?? ''
  if (isKind(def, 'optional', 'default', 'prefault', 'nonoptional')) {
    const inner = seen(def.innerType)
    const given = 'defaultValue' in def ? (def.defaultValue as unknown) : inner.default
    return {
      schema: inner.schema,
      default: given,
      isOptional: true,
      meaning: meaning === '' ? inner.meaning : meaning,
    }
  }
  if (isKind(def, 'pipe')) {
    const inner = seen((def as unknown as { readonly in: z.core.$ZodType }).in)
    return { ...inner, meaning: meaning === '' ? inner.meaning : meaning }
  }
  return { schema, default: undefined, isOptional: false, meaning }
}

type Wrapper = z.core.$ZodTypeDef & { readonly innerType: z.core.$ZodType }

function isKind(def: z.core.$ZodTypeDef, ...kinds: readonly string[]): def is Wrapper {
  return kinds.includes(def.type)
}

function fieldsOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | null {
  const { def } = seen(schema).schema._zod
  if (def.type === 'object') return (def as z.core.$ZodObjectDef).shape
  if (def.type !== 'union') return null
  const objects = (def as z.core.$ZodUnionDef).options.map(fieldsOf).filter((fields) => fields !== null)
  return objects.length === 1 ? (objects[0] as Readonly<Record<string, z.core.$ZodType>>) : null
}

function typeOf(schema: z.core.$ZodType): string {
  const { def } = seen(schema).schema._zod
  switch (def.type) {
    case 'enum':
      return Object.values((def as z.core.$ZodEnumDef).entries)
        .map((value) => `\`${String(value)}\``)
        .join(', ')
    case 'literal':
      return (def as z.core.$ZodLiteralDef<z.core.util.Literal>).values
        .map((value) => `\`${String(value)}\``)
        .join(', ')
    case 'union':
      return [...new Set((def as z.core.$ZodUnionDef).options.map(typeOf))].join(', ')
    case 'array':
      return 'list'
    case 'nullable':
      return `${typeOf((def as z.core.$ZodNullableDef).innerType)}, \`null\``
    case 'custom':
      return 'value'
    case 'object':
      return 'object'
    default:
      return def.type === 'int' ? 'number' : def.type
  }
}

function spelled(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en-US')
  if (typeof value === 'string') return `\`${value}\``
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(spelled).join(', ')
  return value === undefined || typeof value === 'object' ? '' : String(value)
}

function optionsOf(fields: Readonly<Record<string, z.core.$ZodType>>, under = ''): readonly Option[] {
  return Object.entries(fields).flatMap(([name, schema]) => {
    const { default: given, isOptional, meaning } = seen(schema)
    const path = under === '' ? name : `${under}.${name}`
    const inner = fieldsOf(schema)
    const known = byProfile[path] ?? (isOptional ? spelled(given) : '**needed**')
    return [{ path, type: typeOf(schema), default: known, meaning }, ...(inner === null ? [] : optionsOf(inner, path))]
  })
}

function table(options: readonly Option[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const rows = options.map(
    (option) => `| \`${option.path}\` | ${cell(option.type)} | ${cell(option.default)} | ${cell(option.meaning)} |`,
  )
  return ['| option | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

/** The reference of options, made from the schemas that check them. */
export function optionsPage(): string {
  const ofSchema = (schema: z.core.$ZodType) => table(optionsOf(fieldsOf(schema) ?? {}))
  return `# Options

Every option of \`createMessaging\`, \`messaging.producer\` and \`messaging.consumer\`, made from the schemas that check them. Times are milliseconds where the name ends in \`Ms\`. An option that is \`undefined\` counts as left out. What cannot work is a \`ConfigError\` with every problem at once: the path, what came, what to write. Types and longer explanations stand in the API pages, and \`tidemark config explain\` shows what is in force and where it comes from.

## createMessaging

${ofSchema(messagingOptionsSchema)}

## messaging.producer

\`acks\`, \`idempotent\` and \`retryInDoubt\` are the profile's: another one of \`defineProfile\` changes them.

${ofSchema(producerOptionsSchema)}

## messaging.consumer

${ofSchema(messagingConsumerSchema)}
`
}
