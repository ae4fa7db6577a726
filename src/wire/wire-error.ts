import type { Unreadable } from '../connection/requests/fetch.js'
import { TidemarkError } from '../errors.js'

/** Bytes that are not what the protocol says, or a value that has no bytes in it. */
export class WireError extends TidemarkError {
  override readonly name = 'WireError'
}

export function malformed(message: string): WireError {
  return new WireError('malformed-bytes', message)
}

const readableElsewhere: readonly string[] = [
  'no-codec',
  'codec-failed',
  'unknown-format',
] satisfies Unreadable['code'][]

/** @param place begins the reason */
export function unreadableBy(error: unknown, place = ''): Unreadable {
  const known = error instanceof WireError && readableElsewhere.includes(error.code)
  const code = known ? (error.code as Unreadable['code']) : 'corrupt-record'
  return { code, reason: place + (error instanceof Error ? error.message : String(error)) }
}
