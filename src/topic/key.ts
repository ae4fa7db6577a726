import { TidemarkError } from '../errors.js'

/**
 * A key as bytes: text as UTF-8, numbers as decimal text, so that every client sees the same key. Throws code
 * `invalid-key` on anything else; `place` says where it came from, and the key itself is never shown.
 */
export function keyBytes(key: unknown, place: string): Buffer {
  if (typeof key === 'string') return Buffer.from(key, 'utf8')
  if (typeof key === 'number') return Buffer.from(decimalText(key, place), 'latin1')
  if (Buffer.isBuffer(key)) return key
  const hint = key === undefined ? '; every value needs it, or write a function that returns null for no key' : ''
  throw invalidKey(place, `is ${key === null ? 'null' : typeof key}${hint}`)
}

function decimalText(key: number, place: string): string {
  if (!Number.isFinite(key)) throw invalidKey(place, `is ${key}`)
  if (Number.isInteger(key)) return Math.abs(key) < 1e21 ? String(key) : BigInt(key).toString()
  const text = String(key)
  if (text.includes('e')) throw invalidKey(place, 'is a number too small for decimal text; make it a string')
  return text
}

export function invalidKey(place: string, problem: string): TidemarkError {
  return new TidemarkError('invalid-key', `${place} should give a string, a finite number or a Buffer, but ${problem}`)
}
