import { TidemarkError, type ErrorDetails } from '../errors.js'

/** One place inside a value, and what is wrong there. Never the value itself. */
export interface ValueIssue {
  /** Dotted path from the top of the value; empty for the value as a whole. */
  readonly path: string
  readonly message: string
}

/**
 * A serde could not take a value or its bytes.
 *
 * - `malformed`: the bytes are not what the serde reads (dead letters say `undecodable`).
 * - `refused`: well formed, but not a value this topic may carry (dead letters say `invalid`).
 *
 * Neither gets better by trying again, unless `retriable` says so: what the bytes are read by has been asked for. The message
 * names places and expectations, never keys or values.
 */
export class SerdeError extends TidemarkError {
  override readonly name = 'SerdeError'
  constructor(
    readonly kind: 'malformed' | 'refused',
    message: string,
    readonly issues: readonly ValueIssue[] = [],
    details: Pick<ErrorDetails, 'retriable'> = {},
  ) {
    super(kind === 'malformed' ? 'value-malformed' : 'value-refused', message, details)
  }
}

/** The type of a value in words that show nothing of its content. */
export function describeType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isFinite(value) ? 'number' : String(value)
  if (typeof value !== 'object') return typeof value
  const name = (Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null)?.constructor?.name
  return name === undefined || name === 'Object' ? 'object' : name
}
