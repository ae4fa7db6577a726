import type { NoSchema, Serde } from '../serde/serde.js'
import { invalidKey, keyBySerde, keyBytes, type Key } from './key.js'
import { murmur2, type ValuePartitioner } from './partitioners.js'
import type { Topic } from './topic.js'
import { checkTopicDefinition } from './topic-definition.js'

/** Fields of a value that can be its key: always there, and text, a number or a bigint, or what the serde of keys takes. */
export type KeyField<Value, Of = string | number | bigint> = {
  [Field in keyof NonNullable<Value> & string]: NonNullable<Value>[Field] extends Of ? Field : never
}[keyof NonNullable<Value> & string]

/** What `defineTopic` is given. */
export interface TopicDefinition<Value, Name extends string = string, KeyValue = never> {
  /** Letters, digits, `.`, `_` and `-`; at most 249 characters. */
  readonly name: Name
  /** How values become bytes: `json(schema)`, `string()`, `bytes()`. */
  readonly value: NoSchema & Serde<Value>
  /**
   * What orders records: those of one key stay in order on one partition. A field of the value, or a function; numbers
   * become decimal text, `null` is no key. Without it records have no key. With `keySerde` it is what that serde takes.
   */
  readonly key?:
    | NoInfer<
        [KeyValue] extends [never]
          ? KeyField<Value> | ((value: Value) => Key | null)
          : KeyField<Value, KeyValue> | ((value: Value) => KeyValue | null)
      >
    | undefined
  /**
   * How keys become bytes, for example `avro({ registry, schema })`, whose subject is then `orders-key`. Default: text as
   * UTF-8, numbers as decimal text. A key is its bytes, for partitions, order, compaction and redrives alike: what changes
   * them, as another schema of the key does, makes other keys.
   */
  readonly keySerde?: (NoSchema & Serde<KeyValue>) | undefined
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
export function defineTopic<Value, const Name extends string, KeyValue = never>(
  definition: TopicDefinition<Value, Name, KeyValue>,
): [KeyValue] extends [never]
  ? Topic<Value, Name>
  : Omit<Topic<Value, Name>, 'keySerde'> & { readonly keySerde: Serde<KeyValue> }
export function defineTopic(definition: TopicDefinition<unknown, string, unknown>): Topic {
  checkTopicDefinition(definition)
  const { name, value, key } = definition
  const keySerde = definition.keySerde?.ofTopic?.(name, 'key') ?? definition.keySerde
  return Object.freeze({
    name,
    value: value.ofTopic?.(name, 'value') ?? value,
    keySerde,
    keyOf: keyReader(name, key, keySerde),
    partitioner: definition.partitioner ?? murmur2(),
    partitions: definition.partitions ?? -1,
    replicationFactor: definition.replicationFactor ?? -1,
    configs: textConfigs(definition.configs ?? {}),
    deadLettersOf: definition.deadLettersOf?.name,
  })
}

/** Bytes of a key, or why there are none. */
type ToBytes = (key: unknown, place: string) => Buffer | null

function keyReader(
  topic: string,
  key: string | ((value: unknown) => unknown) | undefined,
  serde: Serde<unknown> | undefined,
): (value: unknown) => Buffer | null {
  if (key === undefined) return () => null
  const toBytes: ToBytes = serde === undefined ? keyBytes : (one, place) => keyBySerde(serde, one, place)
  if (typeof key === 'string') return fieldKey(key, `the key field ${key} of topic ${topic}`, toBytes)
  const place = `the key function of topic ${topic}`
  return (value) => {
    const result = key(value)
    return result === null ? null : toBytes(result, place)
  }
}

function fieldKey(field: string, place: string, toBytes: ToBytes): (value: unknown) => Buffer | null {
  return (value) => {
    if (value === null) throw invalidKey(place, 'a tombstone has no fields; give the key with the send')
    // A value that is no object has no field; what is wrong with it is for its serde to say.
    return toBytes((value as Record<string, unknown> | undefined)?.[field], place)
  }
}

function textConfigs(configs: Readonly<Record<string, string | number | boolean>>): Readonly<Record<string, string>> {
  return Object.freeze(Object.fromEntries(Object.entries(configs).map(([name, value]) => [name, String(value)])))
}
