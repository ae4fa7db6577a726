/**
 * What was thrown may be anything: an error whose message is a list or throws, a proxy with traps, nothing at all. Whoever
 * writes about it asks here, and nothing of it is thrown again.
 */
export interface ThrownText {
  readonly name: string
  readonly message: string
  readonly stack: string
}

export function thrownText(thrown: unknown): ThrownText {
  if (!isError(thrown)) return { name: typeof thrown, message: '', stack: '' }
  return {
    name: textOf(() => thrown.name) ?? 'Error',
    message: textOf(() => thrown.message) ?? '',
    /** Made when it is asked for: that takes many times as long as the others. */
    get stack() {
      return textOf(() => thrown.stack) ?? ''
    },
  }
}

/** Its class, for texts that must not quote what it says. */
export function thrownName(thrown: unknown): string {
  return isError(thrown) ? (textOf(() => thrown.name) ?? 'Error') : `a ${typeof thrown}`
}

/** `instanceof` asks the thing itself for its prototype, which may throw. */
export function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error
  } catch {
    return false
  }
}

function textOf(read: () => unknown): string | undefined {
  try {
    const text = read()
    return typeof text === 'string' ? text : undefined
  } catch {
    return undefined
  }
}
