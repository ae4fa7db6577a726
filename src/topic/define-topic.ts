import type { NoSchema, Serde } from '../serde/serde.js'
import { invalidKey, keyBytes, type Key } from './key.js'
import { murmur2, type ValuePartitioner } from './partitioners.js'
import type { Topic } from './topic.js'
import { checkTopicDefinition } from './topic-definition.js'

/** Fields of a value that can be its key: always there, and text, a number or a bigint. */
export type KeyField<Value> = {
  [Field in keyof NonNullable<Value> & string]: NonNullable<Value>[Field] extends string | number | bigint
    ? Field
    : never
}[keyof NonNullable<Value> & string]

export interface TopicDefinition<Value, Name extends string = string> {
  /** Letters, digits, `.`, `_` and `-`; at most 249 characters. */
  readonly name: Name
  /** How values become bytes: `json(schema)`, `string()`, `bytes()`. */
  readonly value: NoSchema & Serde<Value>
  /**
   * What orders records: those of one key stay in order on one partition. A field of the value, or a function; numbers
   * become decimal text, `null` is no key. Without it records have no key.
   */
  readonly key?: NoInfer<KeyField<Value> | ((value: Value) => Key | null)> | undefined
  /** Default `murmur2()`. */
  readonly partitioner?: NoInfer<ValuePartitioner<Value>> | undefined
  /** Partitions `ensureTopics` creates. Default: as many as the topic has that `deadLettersOf` names, else what the broker is set to. */
  readonly partitions?: number | undefined
  /** Copies of each partition `ensureTopics` asks for. Default: under `cp` 3, or as many as there are brokers; else what the broker is set to. */
  readonly replicationFactor?: number | undefined
  /**
   * Topic configuration for `ensureTopics`, for example `{ 'cleanup.policy': 'compact' }`. Under `cp` `min.insync.replicas` is 2
   * unless it is given, where there is more than one copy.
   */
  readonly configs?: Readonly<Record<string, string | number | boolean>> | undefined
  /** The topic whose dead letters this one takes: it gets as many partitions, so that records of one partition stay together. */
  readonly deadLettersOf?: Pick<Topic, 'name'> | undefined
}

/**
 * Ties a topic's name, key, serde and partitioner together, so that `send` and `handle` are typed end to end.
 * Throws `ConfigError` with every problem of the definition.
 *
 * @example
 * const rawEvents = defineTopic({ name: 'raw_events', key: 'bk_biz_id', value: json(RawEvent) })
 */
export function defineTopic<Value, const Name extends string>(
  definition: TopicDefinition<Value, Name>,
): Topic<Value, Name> {
  checkTopicDefinition(definition)
  return Object.freeze({
    name: definition.name,
    value: definition.value.ofTopic?.(definition.name) ?? definition.value,
    keyOf: keyReader<Value>(definition.name, definition.key),
    partitioner: definition.partitioner ?? murmur2(),
    partitions: definition.partitions ?? -1,
    replicationFactor: definition.replicationFactor ?? -1,
    configs: textConfigs(definition.configs ?? {}),
    deadLettersOf: definition.deadLettersOf?.name,
  })
}

function keyReader<Value>(
  topic: string,
  key: string | ((value: Value) => Key | null) | undefined,
): (value: Value) => Buffer | null {
  if (key === undefined) return () => null
  if (typeof key === 'string') return fieldKey(key, `the key field ${key} of topic ${topic}`)
  const place = `the key function of topic ${topic}`
  return (value) => {
    const result = key(value)
    return result === null ? null : keyBytes(result, place)
  }
}

function fieldKey<Value>(field: string, place: string): (value: Value) => Buffer {
  return (value) => {
    if (value === null) throw invalidKey(place, 'a tombstone has no fields; give the key with the send')
    // A value that is no object has no field; what is wrong with it is for its serde to say.
    return keyBytes((value as Record<string, unknown> | undefined)?.[field], place)
  }
}

function textConfigs(configs: Readonly<Record<string, string | number | boolean>>): Readonly<Record<string, string>> {
  return Object.freeze(Object.fromEntries(Object.entries(configs).map(([name, value]) => [name, String(value)])))
}
