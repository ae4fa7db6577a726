import { TidemarkError } from '../errors.js'
import { isPromised } from '../input/asynchronous.js'
import { isUnicode } from '../input/shapes.js'
import type { Serde } from '../serde/serde.js'

/** What may be a key. */
export type Key = string | number | bigint | Uint8Array

/**
 * A key as bytes: text as UTF-8, numbers as decimal text, so that every client sees the same key. The only way to key bytes,
 * whether the key comes from the topic or from a send. Throws code `invalid-key` on anything else; `place` says where it
 * came from, and the key itself is never shown.
 */
export function keyBytes(key: unknown, place: string): Buffer {
  if (typeof key === 'string') return textKey(key, place)
  if (typeof key === 'number') return Buffer.from(decimalText(key, place), 'latin1')
  if (Buffer.isBuffer(key)) return key
  if (typeof key === 'bigint') return Buffer.from(key.toString(), 'latin1')
  if (key instanceof Uint8Array) return Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  if (isPromised(key)) throw invalidKey(place, 'is a promise; await it before the send')
  const hint = key === undefined ? '; every value needs it, or write a function that returns null for no key' : ''
  throw invalidKey(place, `is ${key === null ? 'null' : typeof key}${hint}`)
}

/** A key as the bytes that its own serde makes of it; `null` is no key. Bytes are what the serde made before. */
export function keyBySerde(serde: Serde<unknown>, key: unknown, place: string): Buffer | null {
  const bytes: unknown = serde.encode(key)
  if (bytes === null || Buffer.isBuffer(bytes)) return bytes
  throw new TidemarkError(
    'invalid-key',
    `${place}: serde ${serde.name} made ${isPromised(bytes) ? 'a promise' : typeof bytes} of it; encode must return a Buffer or null at once`,
  )
}

/** Up to here writing byte by byte takes half the time of `Buffer.from`, which leaves JavaScript for each call. */
const shortLength = 16

/** `null` when it is more than ASCII. */
function asciiKey(key: string): Buffer | null {
  const bytes = Buffer.allocUnsafe(key.length)
  for (let index = 0; index < key.length; index++) {
    const code = key.charCodeAt(index)
    if (code > 127) return null
    bytes[index] = code
  }
  return bytes
}

/** Half of a surrogate pair would be stored as U+FFFD, and keys that differ in it alone would become one. */
function textKey(key: string, place: string): Buffer {
  const short = key.length > shortLength ? null : asciiKey(key)
  if (short !== null) return short
  if (!isUnicode(key)) throw invalidKey(place, 'is text with half of a surrogate pair')
  return Buffer.from(key, 'utf8')
}

function decimalText(key: number, place: string): string {
  if (!Number.isFinite(key)) throw invalidKey(place, `is ${key}`)
  if (Number.isInteger(key)) return Math.abs(key) < 1e21 ? String(key) : BigInt(key).toString()
  const text = String(key)
  if (text.includes('e')) throw invalidKey(place, 'is a number too small for decimal text; make it a string')
  return text
}

export function invalidKey(place: string, problem: string): TidemarkError {
  return new TidemarkError(
    'invalid-key',
    `${place} should give text, a finite number, a bigint or bytes, but ${problem}`,
  )
}
