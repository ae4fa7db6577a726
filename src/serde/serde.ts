/** Values to bytes and back. Both ways are synchronous and throw on a value or bytes they cannot take. */
export interface Serde<Value> {
  /** For messages and `config explain`, for example `json`. */
  readonly name: string
  /** `null` makes a tombstone. */
  encode(value: Value): Buffer | null
  decode(bytes: Buffer | null): Value
}
