import type { ValueIssue } from './serde-error.js'

/** Values to bytes and back. Both ways are synchronous and throw on a value or bytes they cannot take. */
export interface Serde<Value> {
  /** For messages and `config explain`, for example `json`. */
  readonly name: string
  /** `null` makes a tombstone. */
  encode(value: Value): Buffer | null
  /** @param onChanged is told of what the value could not take over as it stands in the bytes, for a warning */
  decode(bytes: Buffer | null, onChanged?: (issue: ValueIssue) => void): Value
}

/** Schemas (zod, valibot, ArkType) are no serdes, and the compiler says what to write. */
export interface NoSchema {
  readonly '~standard'?: 'a schema is not a serde: write json(schema)' | undefined
}
