import type { Serde } from './serde.js'
import { describeType, SerdeError } from './serde-error.js'

/**
 * Bytes as they are. A received value may be a view into the whole answer of the broker: copy what outlives the handler
 * (`Buffer.from(value)`).
 */
export function bytes(): Serde<Buffer> {
  return bytesSerde
}

const bytesSerde: Serde<Buffer> = {
  name: 'bytes',

  encode(value: unknown) {
    if (Buffer.isBuffer(value)) return value
    if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    const hint = value === null ? '; wrap it to write tombstones: nullable(bytes())' : '; write Buffer.from(…)'
    throw new SerdeError('refused', `bytes() takes a Buffer, but got ${describeType(value)}${hint}`)
  },

  decode(value) {
    if (value !== null) return value
    throw new SerdeError('refused', 'bytes() expects bytes, but the record has no value; wrap it: nullable(bytes())')
  },
}
