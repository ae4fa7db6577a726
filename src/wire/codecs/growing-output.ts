import { malformed } from '../wire-error.js'

/** A batch that claims to unpack to more is refused, so a few bytes cannot fill the memory. */
export const maxUnpackedBytes = 256 * 1024 * 1024

/** Not worth a copy. */
const smallWaste = 4_096

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

  /** What was written, without the room that was left over: it is kept as long as its records wait. */
  done(): Buffer {
    const written = this.bytes.subarray(0, this.length)
    return this.bytes.length - this.length > this.length / 4 + smallWaste ? Buffer.from(written) : written
  }
}

function tooMuch(): Error {
  return malformed(`a batch unpacks to more than ${maxUnpackedBytes} bytes`)
}

/** What Node's own codecs threw, in our words: theirs say nothing of what was read. */
export function brokenBy(error: unknown, what: string): Error {
  const isTooMuch = error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
  return isTooMuch ? tooMuch() : malformed(`${what} is not what it says it is`)
}
