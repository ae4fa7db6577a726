import { ConfigError } from '../errors.js'
import { came } from '../input/came.js'
import { unknownOption } from '../input/option-rules.js'
import { defineTopic, type TopicDefinition } from './define-topic.js'
import type { Topic } from './topic.js'

/** What every topic of a pattern has in common: the `value`, `key` and `keySerde` of `defineTopic`. */
export type PatternDefinition<Value, KeyValue = never> = Pick<
  TopicDefinition<Value, string, KeyValue>,
  'value' | 'key' | 'keySerde'
>

/** Stands in a consumer's `topics` for all topics of the cluster whose whole name matches, now and later. */
export interface PatternTopic<Value = unknown> extends Topic<Value> {
  /** Of whole names. */
  readonly pattern: RegExp
  /** The topic of a name that matches. */
  named(name: string): Topic<Value>
}

/** What `pattern` gives; a list, so that it can be a consumer's `topics`, or part of them. */
export type TopicPattern<Value = unknown> = readonly [PatternTopic<Value>]

/**
 * All topics of the cluster whose whole name matches, those that are made later included: they are found within the
 * consumer's `metadataMaxAgeMs` (60 s) and read from their beginning, whatever `from` says, so nothing that was written before
 * they were found is passed over. Topics that are deleted leave. Never matched: Kafka's internal topics, and the topics to
 * which the consumer itself puts dead letters and late records.
 *
 * @throws ConfigError when it is no regular expression, or the definition is none
 * @example
 * messaging.consumer({ group: 'audit', topics: pattern(/orders\..+/, { value: json(Order) }), handle })
 */
export function pattern<Value, KeyValue = never>(
  names: RegExp,
  definition: PatternDefinition<Value, KeyValue>,
): TopicPattern<Value> {
  if (!(names instanceof RegExp)) {
    const issue = { path: 'names', message: came(names), fix: String.raw`write a regular expression: /orders\..+/` }
    throw new ConfigError('pattern', [issue])
  }
  const whole = wholeName(names)
  const shown = String(names)
  const example = exampleOf(shown, definition)
  const known = new Map<string, Topic<Value>>()
  const named = (name: string) => {
    let topic = known.get(name)
    if (topic === undefined) known.set(name, (topic = defineTopic({ ...definition, name })))
    return topic
  }
  return Object.freeze([Object.freeze({ ...example, name: shown, pattern: whole, named })] as const)
}

const common = ['value', 'key', 'keySerde']

/** Checks the definition at once, under a name that any topic may have. */
function exampleOf<Value, KeyValue>(shown: string, definition: PatternDefinition<Value, KeyValue>): Topic<Value> {
  const others = Object.keys(definition ?? {}).filter((name) => !common.includes(name))
  const issues = others.map((name) => unknownOption(name, common))
  try {
    const example = defineTopic({ ...definition, name: 'pattern' })
    if (issues.length === 0) return example
  } catch (failure) {
    if (!(failure instanceof ConfigError)) throw failure
    issues.push(...failure.issues.filter(({ path }) => common.includes(path)))
  }
  throw new ConfigError(`pattern(${shown}, …)`, issues)
}

export function isPatternTopic(topic: Pick<Topic, 'name'>): topic is PatternTopic {
  return 'pattern' in topic && topic.pattern instanceof RegExp
}

/** The name matches as a whole, however the expression was meant to be looked for; it keeps no place between two calls. */
function wholeName({ source, flags }: RegExp): RegExp {
  return new RegExp(`^(?:${source})$`, flags.replaceAll(/[gym]/g, ''))
}
