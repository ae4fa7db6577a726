import { ConfigError } from '../errors.js'
import { withMethods } from '../input/option-rules.js'
import { came } from '../input/came.js'
import { isRecord } from '../input/shapes.js'
import type { NoSchema, Serde } from './serde.js'

const aSerde = withMethods('a serde: string(), bytes(), json(…), or your own with encode and decode', [
  'encode',
  'decode',
])

/** The same serde, with `null` for a record without a value: a tombstone, which deletes its key in a compacted topic. */
export function nullable<Value>(serde: NoSchema & Serde<Value>): Serde<Value | null> {
  if (isRecord(serde) && '~standard' in serde) {
    throw new ConfigError('nullable', [
      { path: 'serde', message: 'is a schema, not a serde', fix: 'write json(schema)' },
    ])
  }
  if (!aSerde.accepts(serde)) {
    throw new ConfigError('nullable', [{ path: 'serde', message: came(serde), fix: `give ${aSerde.expected}` }])
  }
  return nullableOf(serde)
}

function nullableOf<Value>(serde: Serde<Value>): Serde<Value | null> {
  return {
    name: `nullable ${serde.name}`,
    encode: (value) => (value === null ? null : serde.encode(value)),
    decode: (bytes, onChanged) => (bytes === null ? null : serde.decode(bytes, onChanged)),
    ofTopic: (topic, part) => nullableOf(serde.ofTopic?.(topic, part) ?? serde),
    reading: serde.reading,
    writing: serde.writing,
  }
}
