import { inspect } from 'node:util'

export const hidden = '***'

/** The same object, whose secret fields show as `***` when it is printed, logged or turned into JSON. */
export function hideWhenPrinted<Value extends object>(value: Value, secrets: readonly (keyof Value)[]): Value {
  const shown = () => Object.fromEntries(Object.entries(value).map(([name, field]) => [name, show(name, field)]))
  const show = (name: string, field: unknown) => (secrets.includes(name as keyof Value) ? hidden : field)
  Object.defineProperty(value, inspect.custom, { value: shown, enumerable: false })
  Object.defineProperty(value, 'toJSON', { value: shown, enumerable: false })
  return value
}
