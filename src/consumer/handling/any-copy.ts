/** Of each copy of the package that a process has: two versions, or ES modules beside CommonJS. */
const fate = Symbol.for('tidemark.fate')

/** Marks what instances of a class are, on its prototype, so that an instance carries nothing and shows nothing of it. */
export function markFate(type: { readonly prototype: object }, name: string): void {
  Object.defineProperty(type.prototype, fate, { value: name })
}

/**
 * `value instanceof asked`, where the class that says so is `own`: a class that extends it is asked about its own instances
 * alone, as ever.
 */
export function isFate(asked: unknown, own: { readonly prototype: object }, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (asked !== own) return Object.prototype.isPrototypeOf.call((asked as typeof own).prototype, value)
  return fateOf(value) === fateOf(own.prototype)
}

function fateOf(value: object): unknown {
  try {
    return Reflect.get(value, fate)
  } catch {
    return null // whatever a handler throws may be asked
  }
}
