import { types } from 'node:util'
import { describeType, type ValueIssue } from './serde-error.js'
import { childPath } from './value-path.js'

/** Deeper values cannot be walked safely. */
const maxDepth = 1_000

/**
 * Objects without a class, arrays, and what is in them: nothing whose content JSON might not see. Runs for every value
 * that was written, so it judges by prototypes alone.
 */
export function isPlainData(value: unknown): boolean {
  return typeof value !== 'object' || value === null || isPlain(value, 0)
}

function isPlain(value: object, depth: number): boolean {
  if (depth > maxDepth) return false
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) {
      if (typeof item === 'object' && item !== null && !isPlain(item, depth + 1)) return false
    }
    return true
  }
  // An invalid one becomes null, which its text tells.
  if (value instanceof Date) return true
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  for (const key in value) {
    const field = (value as Readonly<Record<string, unknown>>)[key]
    if (typeof field === 'object' && field !== null && !isPlain(field, depth + 1)) return false
  }
  return true
}

/**
 * The first place that JSON cannot hold, or would change without a word. Runs only when the text, a class or an exception
 * gave reason to look.
 */
export function findUnwritable(value: unknown): ValueIssue | null {
  return search(value, '', [])
}

/** `ancestors` is one stack for the whole walk; paths are put together on the way back, so a clean value costs none. */
function search(raw: unknown, key: string, ancestors: object[]): ValueIssue | null {
  const value = replaced(raw, key)
  const problem = problemOf(raw, value, ancestors)
  if (problem !== null) return { path: '', message: problem }
  if (typeof value !== 'object' || value === null) return null
  ancestors.push(value)
  const issue = Array.isArray(value) ? searchArray(value, ancestors) : searchObject(value, ancestors)
  ancestors.pop()
  return issue
}

function searchArray(array: readonly unknown[], ancestors: object[]): ValueIssue | null {
  for (let index = 0; index < array.length; index++) {
    const item = array[index]
    if (item === undefined || typeof item === 'function' || typeof item === 'symbol') {
      return { path: String(index), message: `${typeof item} in an array would become null` }
    }
    const issue = search(item, String(index), ancestors)
    if (issue !== null) return below(String(index), issue)
  }
  return null
}

function searchObject(object: object, ancestors: object[]): ValueIssue | null {
  for (const key of Object.keys(object)) {
    const field = (object as Readonly<Record<string, unknown>>)[key]
    // JSON leaves out undefined fields; readers see the same as for a missing optional field.
    if (field === undefined || typeof field === 'string') continue
    const issue = search(field, key, ancestors)
    if (issue !== null) return below(key, issue)
  }
  return null
}

function below(key: string, { path, message }: ValueIssue): ValueIssue {
  return { path: path === '' ? key : childPath(key, path), message }
}

function problemOf(raw: unknown, value: unknown, ancestors: readonly object[]): string | null {
  if (typeof value === 'number') return Number.isFinite(value) ? null : `${value} is not a JSON number`
  if (typeof value === 'bigint') return 'BigInt is not a JSON number; write it as a string'
  if (raw instanceof Date && Number.isNaN(raw.getTime())) return 'an invalid Date would become null'
  if (typeof value !== 'object' || value === null) return null
  if (ancestors.includes(value)) return 'a circle: it contains itself'
  if (ancestors.length >= maxDepth) return `nested deeper than ${maxDepth} levels`
  return lossOf(value)
}

/** What JSON.stringify, which sees enumerable fields only, would lose of an object; judged by kind, also of other realms. */
function lossOf(value: object): string | null {
  if (types.isMap(value) || types.isSet(value) || types.isPromise(value)) {
    return `${describeType(value)} would become {}; turn it into an object or an array`
  }
  if (types.isNativeError(value)) {
    return `${describeType(value)} would lose its message; write the fields that are wanted, for example { message }`
  }
  if (types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value)) {
    return `${describeType(value)} is bytes, not JSON; write it as text, for example in base64, or as an array`
  }
  if (isOfClass(value) && Object.keys(value).length === 0) {
    return `${describeType(value)} would become {}; give it a toJSON, or write the fields that are wanted`
  }
  return null
}

function isOfClass(value: object): boolean {
  if (Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // The prototype of objects without a class has none itself, whichever realm they are of.
  return prototype !== null && Object.getPrototypeOf(prototype) !== null
}

/** What JSON.stringify would look at instead of the value. */
function replaced(value: unknown, key: string): unknown {
  if ((typeof value !== 'object' && typeof value !== 'bigint') || value === null) return value
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return (toJSON as (key: string) => unknown).call(value, key)
  if (typeof value === 'bigint') return value
  return value instanceof Number || value instanceof String || value instanceof Boolean ? value.valueOf() : value
}
