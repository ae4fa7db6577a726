import { malformed } from './wire-error.js'

/** Sixteen bytes of zero as Kafka writes ids in text: base64 for URLs without padding. */
const NO_UUID = 'A'.repeat(22)
const noTags: Readonly<Record<number, () => void>> = Object.freeze({})

/**
 * Reads Kafka's primitive types and never past the end: bytes that lie about a length are a `WireError`, and nothing is
 * allocated for a length before it is known to be there. `flexible` as in `Writer`.
 */
export class Reader {
  #at = 0
  readonly #buffer: Buffer
  readonly flexible: boolean

  constructor(buffer: Buffer, flexible = false) {
    this.#buffer = buffer
    this.flexible = flexible
  }

  /** Bytes of the whole frame. */
  get size(): number {
    return this.#buffer.length
  }

  get remaining(): number {
    return this.#buffer.length - this.#at
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    return this.#buffer.readInt8(this.#take(1))
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4))
  }

  int64(): number {
    return readInt64(this.#buffer, this.#take(8))
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#buffer[this.#take(1)]!
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
    throw malformed('a variable-length integer has more than five bytes')
  }

  string(): string {
    const value = this.nullableString()
    if (value === null) throw malformed('expected a string, got null')
    return value
  }

  nullableString(): string | null {
    const length = this.flexible ? this.uvarint() - 1 : this.int16()
    if (length === -1) return null
    const at = this.#take(length)
    return this.#buffer.toString('utf8', at, at + length)
  }

  /** In Kafka's own spelling; `null` for the id of all zeros, which stands for none. */
  uuid(): string | null {
    const at = this.#take(16)
    const text = this.#buffer.toString('base64url', at, at + 16)
    return text === NO_UUID ? null : text
  }

  /** A view, not a copy. */
  nullableBytes(): Buffer | null {
    const length = this.flexible ? this.uvarint() - 1 : this.int32()
    if (length === -1) return null
    const at = this.#take(length)
    return this.#buffer.subarray(at, at + length)
  }

  /** A null array reads as an empty one: no answer gives them different meanings. */
  array<Item>(read: () => Item): Item[] {
    const length = this.flexible ? this.uvarint() - 1 : this.int32()
    if (length === -1) return []
    // Every element has at least one byte, so a longer array cannot be in what is left.
    if (length < -1 || length > this.remaining) {
      throw malformed(`an array claims ${length} elements, ${this.remaining} bytes are left`)
    }
    const items: Item[] = []
    for (let index = 0; index < length; index++) items.push(read())
    return items
  }

  /**
   * Reads the tagged fields of a flexible version; nothing in a version without them.
   *
   * @param known what reads the field of a tag; fields with other tags are skipped.
   */
  tags(known: Readonly<Record<number, () => void>> = noTags): void {
    if (!this.flexible) return
    for (let count = this.uvarint(); count > 0; count--) {
      const tag = this.uvarint()
      const bytes = this.uvarint()
      const at = this.#take(bytes)
      const read = known[tag]
      if (read === undefined) continue
      this.#at = at
      read()
      if (this.#at !== at + bytes) throw malformed(`the field with tag ${tag} has ${this.#at - at} bytes, not ${bytes}`)
    }
  }

  /** Every byte must have been read: bytes left over mean that the fields were not what we took them for. */
  end(): void {
    if (this.remaining > 0) throw malformed(`${this.remaining} bytes are left after the last field`)
  }

  #take(bytes: number): number {
    const at = this.#at
    if (bytes < 0 || bytes > this.#buffer.length - at) {
      throw malformed(`a field of ${bytes} bytes at ${at} goes past the end at ${this.#buffer.length}`)
    }
    this.#at = at + bytes
    return at
  }
}

/** An int64 as a number; throws when a number cannot hold it. */
export function readInt64(buffer: Buffer, at: number): number {
  const value = buffer.readInt32BE(at) * 4_294_967_296 + buffer.readUInt32BE(at + 4)
  if (!Number.isSafeInteger(value)) throw malformed(`the 64-bit integer at ${at} is beyond 2^53`)
  return value
}
