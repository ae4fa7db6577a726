import type { Serde } from './serde.js'

/** The same serde, with `null` for a record without a value: a tombstone, which deletes its key in a compacted topic. */
export function nullable<Value>(serde: Serde<Value>): Serde<Value | null> {
  return {
    name: `nullable ${serde.name}`,
    encode: (value) => (value === null ? null : serde.encode(value)),
    decode: (bytes) => (bytes === null ? null : serde.decode(bytes)),
  }
}
