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
const minus = 45

const isDigit = new Uint8Array(256)
for (let digit = 48; digit < 58; digit++) isDigit[digit] = 1

/** What stands before a number. Blanks do too. */
const opensValue = new Uint8Array(256)
for (const character of ':,[') opensValue[character.charCodeAt(0)] = 1
for (let blank = 0; blank <= 32; blank++) opensValue[blank] = 1

/** A number beyond 1.8e308 has an exponent of three digits or more, or a long run of digits. */
const threeDigitExponent = /[\deE][+eE]\d\d\d/
const numberWithExponent = /(?:^|[:,[\s])-?\d+(?:\.\d+)?[eE]\+?\d{3}/

// The engine plans a pattern by the first text it meets: with few digits it learns to look at every third character only.
for (const last of ['.', '\u0100'])
  threeDigitExponent.test('what is sent is mostly words, and so are these.'.repeat(40) + last)

const { MAX_SAFE_INTEGER } = Number

/** `unsure`: this kind of value is quicker to look for in its text. */
export type NumbersSeen = 'safe' | 'large' | 'unsure'

/** Whether a number of a value that JSON.parse made is large. A value has fewer parts than its text has characters. */
export function numbersOf(value: unknown): NumbersSeen {
  if (typeof value === 'number') return isLarge(value) ? 'large' : 'safe'
  return typeof value === 'object' && value !== null ? numbersIn(value, 0) : 'safe'
}

function numbersIn(holder: object, depth: number): NumbersSeen {
  if (depth === maxDepth) return 'unsure'
  if (Array.isArray(holder)) return numbersInArray(holder, depth)
  let isFirst = true
  // No list of the keys is made for it.
  for (const key in holder) {
    // Keys that are an index come first, and make this loop slow.
    if (isFirst && isDigit[key.charCodeAt(0)] === 1) return 'unsure'
    isFirst = false
    const field = (holder as Readonly<Record<string, unknown>>)[key]
    if (typeof field === 'number') {
      if (isLarge(field)) return 'large'
    } else if (typeof field === 'object' && field !== null) {
      const seen = numbersIn(field, depth + 1)
      if (seen !== 'safe') return seen
    }
  }
  return 'safe'
}

function numbersInArray(array: readonly unknown[], depth: number): NumbersSeen {
  for (let index = 0; index < array.length; index++) {
    const item = array[index]
    if (typeof item === 'number') {
      if (isLarge(item)) return 'large'
    } else if (typeof item === 'object' && item !== null) {
      const seen = numbersIn(item, depth + 1)
      if (seen !== 'safe') return seen
    }
  }
  return 'safe'
}

function isLarge(number: number): boolean {
  return number > MAX_SAFE_INTEGER || number < -MAX_SAFE_INTEGER
}

/** Whether a closer look is due. Runs for every record. Ids in hex and digits in text do not call for one. */
export function mayHoldLargeNumber(bytes: Buffer, text: string): boolean {
  return holdsLongInteger(bytes) || (threeDigitExponent.test(text) && numberWithExponent.test(text))
}

/** Looks at every 16th byte: a run of 16 digits cannot pass between two looks. */
function holdsLongInteger(bytes: Buffer): boolean {
  const { length } = bytes
  let at = longRun - 1
  while (at < length) {
    if (isDigit[bytes[at]!] === 1) {
      const start = at
      do at++
      while (at < length && isDigit[bytes[at]!] === 1)
      // Most runs are shorter, which one look back tells.
      if (isDigit[bytes[at - longRun]!] === 1 && isLongInteger(bytes, start, at)) return true
    }
    at += longRun
  }
  return false
}

/** @param within a place in the run of digits that ends at `end` */
function isLongInteger(bytes: Buffer, within: number, end: number): boolean {
  let start = within
  while (start > 0 && isDigit[bytes[start - 1]!] === 1) start--
  if (end - start < longRun) return false
  if (start > 0 && bytes[start - 1] === minus) start--
  return start === 0 || opensValue[bytes[start - 1]!] === 1
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
