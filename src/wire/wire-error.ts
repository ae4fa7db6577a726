import { TidemarkError } from '../errors.js'

/** Bytes that are not what the protocol says, or a value that has no bytes in it. */
export class WireError extends TidemarkError {
  override readonly name = 'WireError'
}

export function malformed(message: string): WireError {
  return new WireError('malformed-bytes', message)
}
