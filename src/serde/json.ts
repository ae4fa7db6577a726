import type { StandardSchemaV1 } from '@standard-schema/spec'
import { ConfigError } from '../errors.js'
import { checkKeys } from './json-keys.js'
import { firstChangedNumber, mayHoldLargeNumber, numbersOf, readWithBigInts } from './json-numbers.js'
import { checkJsonOptions, type JsonOptions, type LargeIntegers } from './json-options.js'
import { findUnwritable, isPlainData } from './json-unwritable.js'
import { firstSyntaxError } from './json-syntax.js'
import { registryProblem } from './registry-format.js'
import { schemaCheck, type SchemaCheck } from './schema-check.js'
import type { Serde } from './serde.js'
import { SerdeError, type ValueIssue } from './serde-error.js'
import { decodeUtf8 } from './utf8.js'

/**
 * JSON as UTF-8. With a schema (zod, valibot, ArkType, any Standard Schema) the value is checked both ways; a decoded
 * value is what the schema makes of it, a written value is written as given.
 *
 * Writing throws {@link SerdeError} on what JSON would change silently: NaN and infinities, `undefined` in an array or at
 * the top, an invalid Date, whatever would become `{}` or lose its content (a Map, an Error, bytes, an instance with
 * private fields alone); and on BigInt and circles. A `toJSON` of yours is taken at its word, also one of BigInt. Reading
 * throws on malformed text (with its place), bytes that are not UTF-8, and keys that could reach a prototype; what it does
 * about integers that would be rounded `largeIntegers` says. No message shows content.
 */
export function json<Schema extends StandardSchemaV1>(
  schema: Schema,
  options?: JsonOptions,
): Serde<StandardSchemaV1.InferOutput<Schema>>
export function json<Value = unknown>(options?: JsonOptions): Serde<Value>
export function json(schemaOrOptions?: StandardSchemaV1 | JsonOptions, maybeOptions?: JsonOptions): Serde<unknown> {
  const schema = isSchema(schemaOrOptions) ? schemaOrOptions : undefined
  const options = (schema === undefined ? (schemaOrOptions as JsonOptions | undefined) : maybeOptions) ?? {}
  checkJsonOptions(options)
  return jsonSerde(schema === undefined ? null : schemaCheck(schema), options)
}

function jsonSerde(check: SchemaCheck | null, options: JsonOptions): Serde<unknown> {
  const { maxBytes = Infinity, trailingNul = 'refuse', checkOnEncode = true, largeIntegers = 'warn' } = options
  const checkWritten = checkOnEncode ? check : null
  let readsWhatItWrites = check === null
  let looksAtText = false
  const mayHold = (value: unknown, bytes: Buffer, text: string): boolean => {
    const seen = looksAtText ? 'unsure' : numbersOf(value)
    if (seen === 'safe') return false
    if (seen === 'unsure') looksAtText = true
    return mayHoldLargeNumber(bytes, text)
  }
  return {
    name: 'json',

    encode(value) {
      if (value === null || value === undefined) throw nothingToWrite(value)
      if (checkWritten !== null) checkWritten(value, 'written')
      const text = stringify(value)
      const encoded = Buffer.from(text, 'utf8')
      if (encoded.length > maxBytes) throw tooLarge(encoded.length, maxBytes)
      if (!readsWhatItWrites && check !== null) {
        requireReadable(JSON.parse(text), check)
        readsWhatItWrites = true
      }
      return encoded
    },

    decode(bytes, onChanged) {
      if (bytes === null) {
        throw new SerdeError('refused', 'json() expects a value, but the record has none; wrap it: nullable(json(…))')
      }
      if (bytes.length > maxBytes) throw tooLarge(bytes.length, maxBytes)
      const own = trailingNul === 'trim' ? withoutTrailingNul(bytes) : bytes
      const text = decodeUtf8(own)
      let value = parse(text, own)
      const isOfInterest = onChanged !== undefined || largeIntegers !== 'warn'
      if (isOfInterest && mayHold(value, own, text)) value = withLargeNumbers(value, text, largeIntegers, onChanged)
      return check === null ? value : check(value, 'read')
    },
  }
}

function stringify(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw unwritableBecause(value, error)
  }
  if (text === undefined) throw nothingToWrite(value)
  // Numbers and holes that JSON changes silently become null: plain data without one needs no closer look.
  if (text.includes('null') || !isPlainData(value)) refuseSilentChange(value)
  return text
}

function refuseSilentChange(value: unknown): void {
  const issue = findUnwritable(value)
  if (issue !== null) throw refusedToWrite(issue.path, issue.message)
}

function unwritableBecause(value: unknown, thrown: unknown): SerdeError {
  try {
    refuseSilentChange(value)
  } catch (error) {
    // The walk runs the value's own getters and toJSON, which may throw again.
    if (error instanceof SerdeError) return error
  }
  return refusedToWrite('', `writing it threw ${thrown instanceof Error ? thrown.name : typeof thrown}`)
}

function refusedToWrite(path: string, message: string): SerdeError {
  const place = path === '' ? 'the value' : path
  return new SerdeError('refused', `cannot be written as JSON: ${place}: ${message}`, [{ path, message }])
}

function nothingToWrite(value: unknown): SerdeError {
  return value === null
    ? new SerdeError('refused', 'json() takes a value, but got null; to write tombstones wrap it: nullable(json(…))')
    : new SerdeError('refused', `json() takes a value that JSON can hold, but got ${typeof value}`)
}

function parse(text: string, bytes: Buffer): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The engine's message quotes the text, so the place is looked up here instead.
    throw registryProblem(bytes) ?? malformed(text)
  }
  checkKeys(text, value)
  return value
}

function withLargeNumbers(
  value: unknown,
  text: string,
  mode: LargeIntegers,
  onChanged: ((issue: ValueIssue) => void) | undefined,
): unknown {
  if (mode === 'bigint') return readWithBigInts(text)
  const changed = firstChangedNumber(text)
  if (changed === null) return value
  const { path, message } = changed
  if (mode === 'refuse') {
    throw new SerdeError('refused', `refused JSON: ${path === '' ? 'the value' : path}: ${message}`, [changed])
  }
  onChanged?.(changed)
  return value
}

/** It would be a record that no consumer with this schema can take. */
function requireReadable(written: unknown, check: SchemaCheck): void {
  try {
    check(written, 'read')
  } catch (cause) {
    if (!(cause instanceof SerdeError)) throw cause
    const [issue] = cause.issues
    const path = issue === undefined || issue.path === '' ? 'the value' : issue.path
    throw new ConfigError('json(schema)', [
      {
        path: 'schema',
        message: `cannot read what it has written: ${path}: ${issue?.message ?? cause.message}`,
        fix: 'let it take what JSON has (for a date text: z.coerce.date()), or write what it takes',
      },
    ])
  }
}

function malformed(text: string): SerdeError {
  if (text.length === 0) return new SerdeError('malformed', 'not JSON: the value is empty; write at least null')
  const { position, expected } = firstSyntaxError(text)
  const byte = Buffer.byteLength(text.slice(0, position), 'utf8')
  const hint =
    text.charCodeAt(position) === 0 ? '; a NUL byte came: json(…, { trailingNul: "trim" }) cuts them off' : ''
  return new SerdeError('malformed', `not JSON: expected ${expected} at byte ${byte}${hint}`)
}

function tooLarge(sizeBytes: number, maxBytes: number): SerdeError {
  return new SerdeError('refused', `json() takes up to ${maxBytes} bytes (maxBytes), but the value has ${sizeBytes}`)
}

function withoutTrailingNul(bytes: Buffer): Buffer {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return end === bytes.length ? bytes : bytes.subarray(0, end)
}

function isSchema(candidate: unknown): candidate is StandardSchemaV1 {
  // ArkType's schemas are functions.
  return (
    candidate !== null && (typeof candidate === 'object' || typeof candidate === 'function') && '~standard' in candidate
  )
}
