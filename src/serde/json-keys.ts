import { SerdeError } from './serde-error.js'
import { childPath } from './value-path.js'

/** Deeper values cannot be walked safely. */
const maxDepth = 1_000

/**
 * Refuses keys that reach a prototype once the value is merged somewhere: `__proto__`, and `constructor` that holds
 * `prototype`. Text that has neither word nor an escape that could spell one needs no walk.
 */
export function checkKeys(text: string, value: unknown): void {
  // The end of `"constructor"`: quotes are everywhere, so a search that begins with one is slow.
  if (text.includes('__proto__') || text.includes('uctor"') || text.includes('\\u00')) {
    const path = findUnsafeKey(value, '', 0)
    if (path !== null) throw unsafeKey(path)
  }
}

function findUnsafeKey(value: unknown, path: string, depth: number): string | null {
  if (typeof value !== 'object' || value === null) return null
  if (depth >= maxDepth) throw new SerdeError('refused', `refused JSON nested deeper than ${maxDepth} levels`)
  for (const [key, field] of Object.entries(value) as [string, unknown][]) {
    const place = childPath(path, key)
    if (key === '__proto__' || (key === 'constructor' && holdsPrototype(field))) return place
    const found = findUnsafeKey(field, place, depth + 1)
    if (found !== null) return found
  }
  return null
}

function holdsPrototype(field: unknown): boolean {
  return typeof field === 'object' && field !== null && Object.hasOwn(field, 'prototype')
}

function unsafeKey(path: string): SerdeError {
  const message = 'this key could change a prototype'
  return new SerdeError('refused', `refused JSON: ${path}: ${message}`, [{ path, message }])
}
