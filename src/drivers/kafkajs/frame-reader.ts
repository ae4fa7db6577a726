import { malformed } from '../../wire/wire-error.js'

/** Handshake answers are small; whatever claims more is not a Kafka broker. */
const MAX_HANDSHAKE_FRAME_BYTES = 1024 * 1024
/** Beyond every fetch answer a broker gives; a length above it is a broken stream. */
export const MAX_FRAME_BYTES = 512 * 1024 * 1024

const LENGTH_BYTES = 4

/** Puts frames (a length, then as many bytes) together from a stream's chunks; copies each byte at most once. */
export class FrameReader {
  maxBytes = MAX_HANDSHAKE_FRAME_BYTES
  readonly #length = Buffer.alloc(LENGTH_BYTES)
  #lengthFilled = 0
  #body: Buffer | null = null
  #bodyFilled = 0

  /** Calls `take` for every frame that is whole now, until it returns false. Throws on a length no broker would send. */
  push(chunk: Buffer, take: (frame: Buffer) => boolean): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#body === null) {
        at = this.#readLength(chunk, at)
        if (this.#lengthFilled < LENGTH_BYTES) return
        const length = this.#checkedLength()
        this.#lengthFilled = 0
        if (chunk.length - at >= length) {
          if (!take(chunk.subarray(at, at + length))) return
          at += length
          continue
        }
        this.#body = Buffer.allocUnsafeSlow(length)
        this.#bodyFilled = 0
      }
      const body = this.#body
      const part = chunk.subarray(at, at + body.length - this.#bodyFilled)
      body.set(part, this.#bodyFilled)
      this.#bodyFilled += part.length
      at += part.length
      if (this.#bodyFilled < body.length) return
      this.#body = null
      if (!take(body)) return
    }
  }

  #readLength(chunk: Buffer, start: number): number {
    const part = chunk.subarray(start, start + LENGTH_BYTES - this.#lengthFilled)
    this.#length.set(part, this.#lengthFilled)
    this.#lengthFilled += part.length
    return start + part.length
  }

  #checkedLength(): number {
    const length = this.#length.readInt32BE(0)
    if (length >= LENGTH_BYTES && length <= this.maxBytes) return length
    throw malformed(`not an answer of Kafka: ${describe(this.#length)}`)
  }
}

/** What the first bytes say about who is really there. */
function describe(first: Buffer): string {
  if (first[0] === 0x15 && first[1] === 0x03) return 'the port speaks TLS; set config.ssl'
  const text = first.toString('latin1')
  if (text === 'HTTP') return 'the port speaks HTTP; set config.brokers to the port of a Kafka listener'
  if (/^[\x20-\x7e]{4}$/.test(text)) return `it begins with the text ${JSON.stringify(text)}`
  return `it claims ${first.readInt32BE(0)} bytes`
}
