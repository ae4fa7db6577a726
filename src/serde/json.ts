import type { StandardSchemaV1 } from '@standard-schema/spec'
import { checkKeys } from './json-keys.js'
import { checkJsonOptions, type JsonOptions } from './json-options.js'
import { findUnwritable } from './json-unwritable.js'
import { firstSyntaxError } from './json-syntax.js'
import { schemaCheck, type SchemaCheck } from './schema-check.js'
import type { Serde } from './serde.js'
import { SerdeError } from './serde-error.js'
import { decodeUtf8 } from './utf8.js'

/**
 * JSON as UTF-8. With a schema (zod, valibot, ArkType, any Standard Schema) the value is checked both ways; a decoded
 * value is what the schema makes of it, a written value is written as given.
 *
 * Writing throws {@link SerdeError} on what JSON would change silently: NaN and infinities, `undefined` in an array or at
 * the top, a Map or Set, an invalid Date; and on BigInt and circles. Reading throws on malformed text (with its place),
 * bytes that are not UTF-8, and keys that could reach a prototype. No message shows content.
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
  const { maxBytes = Infinity, trailingNul = 'refuse', checkOnEncode = true } = options
  const checkWritten = checkOnEncode ? check : null
  return {
    name: 'json',

    encode(value) {
      if (value === null || value === undefined) throw nothingToWrite(value)
      if (checkWritten !== null) checkWritten(value, 'written')
      const encoded = Buffer.from(stringify(value), 'utf8')
      if (encoded.length > maxBytes) throw tooLarge(encoded.length, maxBytes)
      return encoded
    },

    decode(bytes) {
      if (bytes === null) {
        throw new SerdeError('refused', 'json() expects a value, but the record has none; wrap it: nullable(json(…))')
      }
      if (bytes.length > maxBytes) throw tooLarge(bytes.length, maxBytes)
      const value = parse(decodeUtf8(trailingNul === 'trim' ? withoutTrailingNul(bytes) : bytes))
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
  // What JSON changes silently becomes null or {}: text without either needs no walk through the value.
  if (text.includes('null') || text.includes('{}')) refuseSilentChange(value)
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

function parse(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The engine's message quotes the text, so the place is looked up here instead.
    throw malformed(text)
  }
  checkKeys(text, value)
  return value
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
