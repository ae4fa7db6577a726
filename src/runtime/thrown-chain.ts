import { inspect } from 'node:util'
import { isError, thrownText } from './thrown.js'

/** A chain that is longer tells nothing more. */
const mostLinks = 8
const mostParts = 8

/**
 * The stack of what was thrown, of what caused it, and of the parts of an `AggregateError`, in this order, each once. Never
 * throws; ends also where causes run in a circle.
 */
export function thrownChain(thrown: unknown): string {
  const seen = new Set<unknown>()
  const lines: string[] = []
  add(thrown, '', lines, seen)
  return lines.join('\n')
}

/** What was thrown, in words: the message of an error, and of anything else how it looks. Never throws. */
export function thrownMessage(thrown: unknown): string {
  return isError(thrown) ? thrownText(thrown).message : looks(thrown)
}

function add(thrown: unknown, label: string, lines: string[], seen: Set<unknown>): void {
  if (seen.size >= mostLinks || seen.has(thrown)) return
  seen.add(thrown)
  const { name, message, stack } = thrownText(thrown)
  const text = isError(thrown) ? stack || `${name}: ${message}` : looks(thrown)
  lines.push(label + text)
  if (!isError(thrown)) return
  for (const part of partsOf(thrown)) add(part, 'One of: ', lines, seen)
  const cause = read(() => thrown.cause)
  if (cause !== undefined) add(cause, 'Caused by: ', lines, seen)
}

function partsOf(thrown: Error): readonly unknown[] {
  const parts = read(() => (thrown as { errors?: unknown }).errors)
  return read(() => (Array.isArray(parts) ? parts.slice(0, mostParts) : [])) ?? []
}

function read<Value>(get: () => Value): Value | undefined {
  try {
    return get()
  } catch {
    return undefined
  }
}

/** Neither getters nor `inspect` methods of its own are called. */
function looks(thrown: unknown): string {
  const text = read(() =>
    inspect(thrown, { customInspect: false, getters: false, depth: 2, breakLength: Infinity, maxArrayLength: 10 }),
  )
  return text ?? `a ${typeof thrown}`
}
