import { SerdeError, type ValueIssue } from './serde-error.js'
import { childPath } from './value-path.js'

/**
 * Numbers that a JavaScript number cannot hold as they are written: integers beyond 2^53, which are rounded, and whatever
 * is beyond 1.8e308, which becomes Infinity. Decimal fractions are rounded by nature and stay out of this.
 */

/** Deeper values cannot be walked safely. */
const maxDepth = 1_000

/** An integer that may be rounded has as many digits in a row. */
const longRun = 16
const quote = 34
const point = 46

const isDigit = new Uint8Array(256)
for (let digit = 48; digit < 58; digit++) isDigit[digit] = 1

/** A number beyond 1.8e308 has such an exponent, or a long run of digits. */
const largeExponent = /[eE]\+?\d{3}/

/**
 * Whether a closer look is due. Runs for every record, so it looks at every 16th byte only: a run of 16 digits cannot pass
 * between two looks. Digits after a point or a quote are none that could be rounded.
 */
export function mayHoldLargeNumber(bytes: Buffer, text: string): boolean {
  const { length } = bytes
  for (let at = longRun - 1; at < length; at += longRun) {
    if (isDigit[bytes[at]!] !== 1 || !reachesFar(bytes, at)) continue
    let start = at
    while (start > 0 && isDigit[bytes[start - 1]!] === 1) start--
    const before = start === 0 ? 0 : bytes[start - 1]
    if (before === point || before === quote) continue
    let end = at + 1
    while (end < length && isDigit[bytes[end]!] === 1) end++
    if (end - start >= longRun) return true
  }
  return largeExponent.test(text)
}

/** A long run of digits that passes `at` also has the byte half a run before it or half a run behind it; times rarely do. */
function reachesFar(bytes: Buffer, at: number): boolean {
  return (
    isDigit[bytes[at - longRun / 2]!] === 1 ||
    (at + longRun / 2 < bytes.length && isDigit[bytes[at + longRun / 2]!] === 1)
  )
}

/** The first number of a text that reading it would change; `null` when there is none. @param text must be JSON */
export function firstChangedNumber(text: string): ValueIssue | null {
  let first: ValueIssue | null = null
  new NumberReader(text, (token, path) => {
    if (!isExact(token)) first ??= { path, message: problemOf(token) }
    return null
  }).read()
  return first
}

/** The value of a text, integers beyond 2^53 as BigInt; refuses what no JavaScript value can hold. @param text must be JSON */
export function readWithBigInts(text: string): unknown {
  return new NumberReader(text, (token, path) => {
    if (isInteger(token)) return BigInt(token)
    const message = problemOf(token)
    throw new SerdeError('refused', `refused JSON: ${path === '' ? 'the value' : path}: ${message}`, [
      { path, message },
    ])
  }).read()
}

function isInteger(token: string): boolean {
  return !/[.eE]/.test(token)
}

/** Whether JavaScript's number for it is safe to take, or was no exact integer in the first place. */
function isSafe(token: string, value: number): boolean {
  if (Number.isSafeInteger(value)) return true
  return Number.isFinite(value) && !isInteger(token)
}

/** 2^60 and its like are JavaScript numbers too, and what JavaScript wrote it reads as it was. */
function isExact(token: string): boolean {
  const value = Number(token)
  return Number.isFinite(value) && (String(value) === token || BigInt(value) === BigInt(token))
}

function problemOf(token: string): string {
  return isInteger(token)
    ? 'an integer beyond 2^53 is rounded when it is read; write it as text, or read it with largeIntegers: "bigint"'
    : 'a number beyond 1.8e308 becomes Infinity when it is read; write it as text'
}

const whitespace = /[ \t\n\r]*/y
const number = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const words: Readonly<Record<string, readonly [text: string, value: unknown]>> = {
  t: ['true', true],
  f: ['false', false],
  n: ['null', null],
}

/** Builds the value of a text that JSON.parse has accepted, and asks about each number that is not safe to take. */
class NumberReader {
  readonly #text: string
  readonly #onLarge: (token: string, path: string) => unknown
  readonly #path: (string | number)[] = []
  #position = 0

  constructor(text: string, onLarge: (token: string, path: string) => unknown) {
    this.#text = text
    this.#onLarge = onLarge
  }

  read(): unknown {
    this.#take(whitespace)
    const start = this.#text[this.#position]!
    if (start === '{') return this.#object()
    if (start === '[') return this.#array()
    if (start === '"') return this.#string()
    const word = words[start]
    if (word === undefined) return this.#number()
    this.#position += word[0].length
    return word[1]
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    this.#enter()
    while (!this.#ends('}')) {
      const key = this.#string()
      this.#take(whitespace)
      this.#position++ // the colon
      this.#path.push(key)
      object[key] = this.read()
      this.#path.pop()
    }
    return object
  }

  #array(): unknown[] {
    const array: unknown[] = []
    this.#enter()
    while (!this.#ends(']')) {
      this.#path.push(array.length)
      array.push(this.read())
      this.#path.pop()
    }
    return array
  }

  #enter(): void {
    this.#position++
    if (this.#path.length >= maxDepth) {
      throw new SerdeError('refused', `refused JSON nested deeper than ${maxDepth} levels`)
    }
  }

  /** Takes the bracket, or the comma before the next item. */
  #ends(bracket: string): boolean {
    this.#take(whitespace)
    const next = this.#text[this.#position]
    if (next === bracket || next === ',') this.#position++
    if (next === ',') this.#take(whitespace)
    return next === bracket
  }

  #string(): string {
    const start = this.#position
    let end = start
    do end = this.#text.indexOf('"', end + 1)
    while (this.#isEscaped(end))
    this.#position = end + 1
    const inner = this.#text.slice(start + 1, end)
    return inner.includes('\\') ? (JSON.parse(this.#text.slice(start, end + 1)) as string) : inner
  }

  #isEscaped(at: number): boolean {
    let backslashes = 0
    while (this.#text[at - 1 - backslashes] === '\\') backslashes++
    return backslashes % 2 === 1
  }

  #number(): unknown {
    const start = this.#position
    this.#take(number)
    const token = this.#text.slice(start, this.#position)
    const value = Number(token)
    if (isSafe(token, value)) return value
    return this.#onLarge(token, this.#path.reduce<string>(childPath, ''))
  }

  #take(pattern: RegExp): void {
    pattern.lastIndex = this.#position
    if (pattern.test(this.#text)) this.#position = pattern.lastIndex
  }
}
