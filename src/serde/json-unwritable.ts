import { describeType, type ValueIssue } from './serde-error.js'
import { childPath } from './value-path.js'

/** Deeper values cannot be walked safely. */
const maxDepth = 1_000

/**
 * The first place that JSON cannot hold, or would change without a word. Slow, so it runs only when the text (or an
 * exception) gave reason to look.
 */
export function findUnwritable(value: unknown): ValueIssue | null {
  return search(value, '', '', [])
}

function search(raw: unknown, key: string, path: string, ancestors: readonly object[]): ValueIssue | null {
  const value = replaced(raw, key)
  const problem = problemOf(raw, value, ancestors)
  if (problem !== null) return { path, message: problem }
  if (typeof value !== 'object' || value === null) return null
  const below = [...ancestors, value]
  return Array.isArray(value) ? searchArray(value, path, below) : searchObject(value, path, below)
}

function searchArray(array: readonly unknown[], path: string, ancestors: readonly object[]): ValueIssue | null {
  for (let index = 0; index < array.length; index++) {
    const place = childPath(path, index)
    const item = array[index]
    if (item === undefined || typeof item === 'function' || typeof item === 'symbol') {
      return { path: place, message: `${typeof item} in an array would become null` }
    }
    const issue = search(item, String(index), place, ancestors)
    if (issue !== null) return issue
  }
  return null
}

function searchObject(object: object, path: string, ancestors: readonly object[]): ValueIssue | null {
  for (const [key, field] of Object.entries(object)) {
    // JSON leaves out undefined fields; readers see the same as for a missing optional field.
    const issue = field === undefined ? null : search(field, key, childPath(path, key), ancestors)
    if (issue !== null) return issue
  }
  return null
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
