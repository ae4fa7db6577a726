import { TidemarkError } from '../errors.js'
import { isError, thrownText } from '../runtime/thrown.js'
import { hidesCause, textOfForeign } from './error-text.js'

/** Enough to find the line. */
const framesTold = 5
/** Deeper than anything that is ours; a circle ends here too. */
const deepest = 6

/** Fields of a log line as plain data. Never throws: what cannot be read is told as such. */
export function plainFields(fields: object): Readonly<Record<string, unknown>> {
  return plainObject(fields, 0)
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return value
  if (depth >= deepest) return '…'
  if (isError(value)) return plainError(value, depth)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : value.toISOString()
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1))
  return plainObject(value, depth + 1)
}

function plainObject(value: object, depth: number): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const name of namesOf(value)) {
    const field = plainField(value, name, depth)
    if (field !== undefined) fields[name] = field
  }
  return fields
}

/** Getters and proxies may throw. */
function plainField(value: object, name: string, depth: number): unknown {
  try {
    return plain((value as Readonly<Record<string, unknown>>)[name], depth)
  } catch {
    return 'unreadable'
  }
}

function namesOf(value: object): readonly string[] {
  try {
    return Object.keys(value)
  } catch {
    return []
  }
}

/** Of our own errors all is told, of other people's class, first line and place, and nothing where it may quote a record. */
function plainError(error: Error, depth: number, isQuoting = false): object {
  const { name, message, stack } = thrownText(error)
  if (!(error instanceof TidemarkError)) {
    const text = isQuoting ? '' : textOfForeign(error, message)
    const told = text === '' ? {} : { message: text }
    return { name: classOf(error) ?? name, ...told, ...placeOf(error, message, stack) }
  }
  const { cause } = error
  return {
    ...plainObject({ ...error }, depth + 1),
    name,
    message,
    ...(cause === undefined ? {} : { cause: plainCause(error, cause, depth + 1) }),
  }
}

function plainCause(error: TidemarkError, cause: unknown, depth: number): unknown {
  if (isError(cause) && depth < deepest) return plainError(cause, depth, hidesCause(error))
  return plain(cause, depth)
}

function classOf(error: Error): string | undefined {
  try {
    const { name } = error.constructor
    return typeof name === 'string' && name !== '' ? name : undefined
  } catch {
    return undefined
  }
}

function placeOf(error: Error, message: string, stack: string): object {
  const code = plainField(error, 'code', deepest)
  // A line of the text may look like a frame.
  const frames = stack
    .slice(stack.indexOf(message) + message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
  return {
    ...(typeof code === 'string' && code !== 'unreadable' ? { code } : {}),
    at: frames.slice(0, framesTold).map((line) => line.trim()),
  }
}
