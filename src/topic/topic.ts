import type { Serde } from '../serde/serde.js'
import type { Partitioner } from './partitioner.js'

/** A topic as `defineTopic` resolves it: name, key, serde and partitioner in one place, so send and handle agree. */
export interface Topic<Value = unknown, Name extends string = string> {
  readonly name: Name
  readonly value: Serde<Value>
  /** Key of a value as bytes (text as UTF-8, numbers as decimal text); `null` = no key. Throws when the field is missing. */
  keyOf(value: Value): Buffer | null
  /** How keys become bytes, if `defineTopic` was told: `encode` makes one for the option `key` of a send, `decode(message.key)` reads one. */
  readonly keySerde?: Serde<unknown> | undefined
  readonly partitioner: Partitioner
  /** For `ensureTopics`; -1 takes the broker's default. */
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
  /** Name of the topic whose dead letters it takes. */
  readonly deadLettersOf?: string | undefined
  /** Name of the topic whose records wait in it to be tried again later: that one's partitions are its own. */
  readonly delays?: string | undefined
}

/** The values of a topic: `ValueOf<typeof orders>`. */
export type ValueOf<T> = T extends Topic<infer Value, string> ? Value : never
