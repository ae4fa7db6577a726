import { z } from 'zod'
import { resolveOptions } from '../config/resolve-options.js'
import { isTopic } from '../consumer/options/consumer-schema.js'
import { ConfigError, type ConfigIssue } from '../errors.js'
import { isTopicName, topicNameRule } from '../topic/topic-definition.js'
import type { Topic } from '../topic/topic.js'
import { refusalReasons, type RefusalReason } from './refusal.js'
import type { RedriveProgress } from './tally.js'
import type { LetterSelection, TimeSpan } from './selection.js'

/** What is redriven, where to, and how. */
export interface RedriveOptions {
  /** The dead-letter topic. */
  readonly from: string | Topic
  /** Topics that letters may go back to. What names another one in its headers is not sent. */
  readonly allow: readonly (string | Topic)[]
  /**
   * Names this redrive: a consumer group that keeps how far it has come, so that a run that was killed goes on when called
   * again. Another selection is another redrive: give it another name, or it passes over what the former one passed.
   */
  readonly group: string
  /** Which letters. Default all. Those that are not meant stay where they are. */
  readonly select?: LetterSelection | undefined
  /** Sends and commits nothing, joins no group, and counts what would go. Default false. */
  readonly dryRun?: boolean | undefined
  /** Most letters sent in a second. Default as fast as it goes. */
  readonly perSecond?: number | undefined
  /** Letters on their way at the same time, of different keys. Default 256, at most as many as `perSecond`. */
  readonly inFlight?: number | undefined
  /** A letter that was redriven so often goes to `parking` instead, or is refused. Default 3. */
  readonly maxHops?: number | undefined
  /** Topic for letters that came back too often, as they stand. It must exist. Default none. */
  readonly parking?: string | Topic | undefined
  /** Where letters go whose headers name no origin. Default none: they are refused. */
  readonly defaultOrigin?: string | Topic | undefined
  /**
   * The partition: `origin` (default) takes that of the record's origin while the topic has it; `key` takes the key's as
   * Kafka's clients place it, for topics that were given more partitions since.
   */
  readonly partition?: 'origin' | 'key' | undefined
  /**
   * What becomes of a letter that is refused. Default none of these: the run ends at it with a `RedriveError`, and the same
   * call meets it again. What is named here is passed over, counted and told; it stays in the dead-letter topic.
   */
  readonly passOver?: readonly RefusalReason[] | undefined
  /** A run in which nothing moves for so long ends with a `RedriveError`. Default 600,000. */
  readonly stallMs?: number | undefined
  /** Called about every second, and at the end. */
  readonly onProgress?: ((progress: RedriveProgress) => void) | undefined
  /** Ends the run in order: what is on its way is finished, progress is kept. */
  readonly signal?: AbortSignal | undefined
}

const topicOption = z
  .custom<string | Topic>((value) => isTopicName(value) || isTopic(value))
  .transform((topic) => (typeof topic === 'string' ? topic : topic.name))

const aTopic = `the name of a topic (${topicNameRule}), or one made by defineTopic`
const isFunction = (value: unknown) => typeof value === 'function'
const oneOrMore = <One extends z.ZodType>(one: One) => z.union([one, z.array(one).min(1)])
const time = z.union([z.number(), z.date()])
const offset = z.int().min(0)

const isSpan = ({ from = -Infinity, to = Infinity }: TimeSpan) => Number(from) < Number(to)
const spanRule = 'a from that is before its to: between them there is nothing'

const span = (what: string) =>
  z
    .strictObject({ from: time.optional(), to: time.optional() })
    .refine(isSpan, spanRule)
    .optional()
    .describe(`${what}, { from, to }: dates or ms`)

const selection = z
  .strictObject({
    reason: oneOrMore(z.string()).optional().describe('a reason, for example "exhausted", or a list of them'),
    error: oneOrMore(z.union([z.string(), z.instanceof(RegExp)]))
      .optional()
      .describe('the name of a class, a regular expression, or a list of them'),
    key: oneOrMore(z.union([z.string(), z.custom<Buffer>((value) => Buffer.isBuffer(value))]))
      .optional()
      .describe('a key as text or Buffer, or a list of them'),
    origin: oneOrMore(z.string()).optional().describe('the name of a topic, or a list of them'),
    originated: span('times of the records that failed'),
    written: span('times of the letters'),
    partitions: z.array(z.int().min(0)).min(1).optional().describe('numbers of partitions, at least one'),
    offsets: z
      .strictObject({ from: offset.optional(), to: offset.optional() })
      .refine(isSpan, spanRule)
      .optional()
      .describe('offsets of the dead-letter topic, { from, to }'),
    where: z
      .custom<NonNullable<LetterSelection['where']>>(isFunction)
      .optional()
      .describe('a function (letter) that answers true or false'),
  })
  .prefault({})
  .describe('which letters: { reason, error, key, origin, originated, written, partitions, offsets, where }')

const positive = () => z.int().min(1)

const schema = z.strictObject({
  from: topicOption.describe(aTopic),
  allow: z.array(topicOption.describe(aTopic)).min(1).describe('topics that letters may go back to, at least one'),
  group: z.string().min(1).describe('a name for this redrive, under which its progress is kept'),
  select: selection,
  dryRun: z.boolean().default(false).describe('true sends nothing and counts what would go'),
  perSecond: z.number().gt(0).optional().describe('most letters in a second, above 0'),
  inFlight: positive().max(10_000).default(256).describe('letters on their way at the same time, from 1 to 10,000'),
  maxHops: positive().max(1_000).default(3).describe('how often a letter may be redriven, from 1 to 1,000'),
  parking: topicOption.optional().describe(aTopic),
  defaultOrigin: topicOption.optional().describe(aTopic),
  partition: z.enum(['origin', 'key']).default('origin').describe("'origin' or 'key'"),
  passOver: z
    .array(z.enum(refusalReasons as [RefusalReason, ...RefusalReason[]]))
    .default([])
    .describe(`a list of any of ${refusalReasons.join(', ')}`),
  stallMs: positive().default(600_000).describe('how long nothing may move, in ms'),
  onProgress: z
    .custom<NonNullable<RedriveOptions['onProgress']>>(isFunction)
    .optional()
    .describe('a function (progress)'),
  signal: z
    .custom<AbortSignal>((value) => value instanceof AbortSignal)
    .optional()
    .describe('an AbortSignal'),
})

export type ResolvedRedrive = z.output<typeof schema>

/** Throws `ConfigError` with every problem. */
export function resolveRedrive(options: unknown): ResolvedRedrive {
  const resolved = resolveOptions('redrive', schema, options)
  const issues = [
    ...(resolved.allow.includes(resolved.from) ? [circle('allow')] : []),
    ...(resolved.parking === resolved.from ? [circle('parking')] : []),
    ...(resolved.defaultOrigin === resolved.from ? [circle('defaultOrigin')] : []),
    ...(resolved.allow.some((topic) => topic === resolved.parking) ? [parkedInUse] : []),
  ]
  if (issues.length > 0) throw new ConfigError('redrive', issues)
  return resolved
}

const parkedInUse: ConfigIssue = {
  path: 'parking',
  message: 'is one of allow',
  fix: 'name another topic: what came back too often would be handled there once more',
}

function circle(path: string): ConfigIssue {
  return { path, message: 'is the dead-letter topic itself', fix: 'name another topic: letters would go in a circle' }
}
