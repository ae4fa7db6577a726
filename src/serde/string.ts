import { isUnicode } from '../input/shapes.js'
import type { Serde } from './serde.js'
import { describeType, SerdeError } from './serde-error.js'
import { decodeUtf8 } from './utf8.js'

/** Text as UTF-8, both ways strictly: what would be stored or read differently is an error. */
export function string(): Serde<string> {
  return stringSerde
}

const stringSerde: Serde<string> = {
  name: 'string',

  encode(value) {
    if (typeof value !== 'string') {
      throw new SerdeError('refused', `string() takes a string, but got ${describeType(value)}${hintFor(value)}`)
    }
    // Half of a surrogate pair would be stored as U+FFFD, which is another text.
    if (!isUnicode(value)) {
      throw new SerdeError('refused', 'string() takes Unicode text, but it has half of a surrogate pair; use bytes()')
    }
    return Buffer.from(value, 'utf8')
  },

  decode(bytes) {
    if (bytes === null) {
      throw new SerdeError('refused', 'string() expects text, but the record has no value; wrap it: nullable(string())')
    }
    return decodeUtf8(bytes)
  },
}

function hintFor(value: unknown): string {
  return value === null ? '; wrap it to write tombstones: nullable(string())' : ''
}
