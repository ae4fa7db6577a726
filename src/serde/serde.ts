import type { ValueIssue } from './serde-error.js'

/** Values to bytes and back. Both ways are synchronous and throw on a value or bytes they cannot take. */
export interface Serde<Value> {
  /** For messages and `config explain`, for example `json`. */
  readonly name: string
  /** `null` makes a tombstone. */
  encode(value: Value): Buffer | null
  /**
   * The value that bytes stand for; bytes that stand for none make it throw a `SerdeError`.
   *
   * @param onChanged is told of what the value could not take over as it stands in the bytes, for a warning
   */
  decode(bytes: Buffer | null, onChanged?: (issue: ValueIssue) => void): Value
  /** The serde for the values, or the keys, of this topic, where that makes a difference. `defineTopic` asks for it. */
  readonly ofTopic?: ((topic: string, part?: 'key' | 'value') => Serde<Value>) | undefined
  /** How it gets what it decodes with, where that is kept elsewhere. */
  readonly reading?: Reading | undefined
  /** How it gets what its bytes must say, where that is told elsewhere. */
  readonly writing?: Writing | undefined
}

/** For a serde that decodes by something it has to fetch, as the schema whose id stands in the bytes. */
export interface Reading {
  /** What has to be fetched before `decode` can take these bytes; `null` when nothing has to. Asked for each record: must be cheap. */
  missing(bytes: Buffer | null): Missing | null
}

/** Something that a serde does not have yet. A consumer waits for it, and takes up nothing behind the record that needs it. */
export interface Missing {
  /** In words, for a log line: `schema 17`. */
  readonly what: string
  /**
   * Resolves when `decode` can take the bytes, or can say what is wrong with them, from now on. Rejects when that cannot be told now: the
   * consumer counts it as an outage of whatever keeps it, and asks again. Several may ask at the same time.
   */
  load(): Promise<void>
}

/** For a serde whose bytes say something that it has to ask for, as the id under which a schema is registered. */
export interface Writing {
  /** Whether `complete` can do its work. Once true it stays so. */
  readonly isReady: boolean
  /** Resolves when it is ready. Rejects when it cannot be told, or not now: what waits for it is not sent. */
  prepare(): Promise<void>
  /**
   * Puts what `encode` did not know into the bytes that it made. May be called again for the same bytes; of keys also for bytes
   * that were read from a topic, which stay as they are.
   */
  complete(bytes: Buffer): void
}

/** Schemas (zod, valibot, ArkType) are no serdes, and the compiler says what to write. */
export interface NoSchema {
  readonly '~standard'?: 'a schema is not a serde: write json(schema)' | undefined
}
