import { describeType, type ValueIssue } from './serde-error.js'
import { childPath } from './value-path.js'

/** Deeper values cannot be walked safely. */
const maxDepth = 1_000

/**
 * The first place that JSON cannot hold, or would change without a word. Runs only when the text (or an exception) gave
 * reason to look.
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
  if (value instanceof Map || value instanceof Set || value instanceof WeakMap || value instanceof Promise) {
    return `${describeType(value)} would become {}; turn it into an object or an array`
  }
  return null
}

/** What JSON.stringify would look at instead of the value. */
function replaced(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return (toJSON as (key: string) => unknown).call(value, key)
  return value instanceof Number || value instanceof String || value instanceof Boolean ? value.valueOf() : value
}
