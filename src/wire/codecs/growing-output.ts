import { malformed } from '../wire-error.js'

/** A batch that claims to unpack to more is refused, so a few bytes cannot fill the memory. */
export const maxUnpackedBytes = 256 * 1024 * 1024

/** Room for output whose size is not known before it is there. */
export class GrowingOutput {
  bytes: Buffer
  length = 0

  constructor(firstBytes: number) {
    this.bytes = Buffer.allocUnsafe(Math.min(firstBytes, maxUnpackedBytes))
  }

  /** Room for so many more. */
  reserve(more: number): void {
    const needed = this.length + more
    if (needed <= this.bytes.length) return
    if (needed > maxUnpackedBytes) throw tooMuch()
    const grown = Buffer.allocUnsafe(Math.min(maxUnpackedBytes, Math.max(needed, 2 * this.bytes.length)))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  append(source: Uint8Array): void {
    this.reserve(source.length)
    this.bytes.set(source, this.length)
    this.length += source.length
  }

  done(): Buffer {
    return this.bytes.subarray(0, this.length)
  }
}

export function tooMuch(): Error {
  return malformed(`a batch unpacks to more than ${maxUnpackedBytes} bytes`)
}
