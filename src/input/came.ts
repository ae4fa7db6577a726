/** What a value is, without its content: only numbers, which way a flag stands, and nothing at all are told as they are. */
export function came(value: unknown): string {
  if (value === undefined) return 'is missing'
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return `is ${String(value)}`
  if (Array.isArray(value)) return `is a list of ${value.length}`
  if (value === '') return 'is empty'
  if (value instanceof Date) return 'is a Date'
  if (value instanceof RegExp) return 'is a regular expression'
  if (value instanceof Promise) return 'is a promise'
  return typeof value === 'object' ? 'is an object' : `is a ${typeof value}`
}
