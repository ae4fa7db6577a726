import { ConfigError } from '../errors.js'

/** Throws `ConfigError` unless all are text; a list that is none would reach the broker, or crash on the way. */
export function requireNames(call: string, names: unknown): void {
  if (!Array.isArray(names)) throw refused(call, 'topics', names, 'a list of topic names')
  names.forEach((name: unknown, index) => {
    if (typeof name !== 'string' || name === '') throw refused(call, `topics.${index}`, name, 'the name of a topic')
  })
}

export function requireNewTopics(call: string, topics: unknown): void {
  if (!Array.isArray(topics)) throw refused(call, 'topics', topics, 'a list of topics: [{ name, partitions, … }]')
  requireNames(
    call,
    topics.map((topic: unknown) => (topic as { readonly name?: unknown } | null | undefined)?.name),
  )
}

export function requireCount(call: string, count: unknown): void {
  if (!Number.isInteger(count) || (count as number) < 1) throw refused(call, 'count', count, 'a whole number from 1')
}

export function requireTimeout(call: string, timeoutMs: unknown): void {
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
    throw refused(call, 'timeoutMs', timeoutMs, 'a number of milliseconds, at least 0')
  }
}

function refused(call: string, path: string, value: unknown, expected: string): ConfigError {
  const came = typeof value === 'number' || value === null ? String(value) : typeof value
  return new ConfigError(call, [{ path, message: `is ${came}`, fix: `write ${expected}` }])
}
