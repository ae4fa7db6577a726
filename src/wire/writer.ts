import { WireError } from './wire-error.js'

const INITIAL_BYTES = 512
/** From this size on a buffer is handed to the socket as it is instead of being copied. */
const COPY_BELOW_BYTES = 2_048
const NO_UUID = Buffer.alloc(16)
const noFields: readonly never[] = Object.freeze([])

/**
 * Writes Kafka's primitive types. With `flexible`, strings, bytes and arrays take their compact forms and `tags` writes
 * the empty list of tagged fields; without it `tags` writes nothing. So one codec serves both kinds of versions.
 */
export class Writer {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES)
  #length = 0
  #sealedBytes = 0
  readonly #sealed: Buffer[] = []
  readonly flexible: boolean

  constructor(flexible = false) {
    this.flexible = flexible
  }

  boolean(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int8(value: number): void {
    const at = this.#grow(1)
    this.#buffer.writeInt8(value, at)
  }

  int16(value: number): void {
    const at = this.#grow(2)
    this.#buffer.writeInt16BE(value, at)
  }

  int32(value: number): void {
    const at = this.#grow(4)
    this.#buffer.writeInt32BE(value, at)
  }

  int64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new WireError('not-an-integer', `expected a safe integer, got ${value}`)
    const at = this.#grow(8)
    this.#buffer.writeInt32BE(Math.floor(value / 4_294_967_296), at)
    this.#buffer.writeUInt32BE(value >>> 0, at + 4)
  }

  uvarint(value: number): void {
    let rest = value
    while (rest > 127) {
      this.#byte((rest & 127) | 128)
      rest >>>= 7
    }
    this.#byte(rest)
  }

  string(value: string): void {
    const bytes = Buffer.byteLength(value)
    if (bytes > 32_767) throw new WireError('string-too-long', `a string may have 32767 bytes, this one has ${bytes}`)
    if (this.flexible) this.uvarint(bytes + 1)
    else this.int16(bytes)
    const at = this.#grow(bytes)
    this.#buffer.write(value, at)
  }

  nullableString(value: string | null): void {
    if (value !== null) this.string(value)
    else if (this.flexible) this.uvarint(0)
    else this.int16(-1)
  }

  /** `null` stands for the id of all zeros. */
  uuid(value: string | null): void {
    const bytes = value === null ? NO_UUID : Buffer.from(value, 'base64url')
    if (bytes.length !== 16) throw new WireError('not-a-uuid', `an id has 16 bytes, this one has ${bytes.length}`)
    this.raw(bytes)
  }

  nullableBytes(value: Buffer | null): void {
    if (value !== null) this.bytes([value])
    else if (this.flexible) this.uvarint(0)
    else this.int32(-1)
  }

  /** One bytes field made of several buffers. */
  bytes(parts: readonly Buffer[]): void {
    let total = 0
    for (const part of parts) total += part.length
    if (this.flexible) this.uvarint(total + 1)
    else this.int32(total)
    for (const part of parts) this.raw(part)
  }

  raw(bytes: Buffer): void {
    if (bytes.length < COPY_BELOW_BYTES) {
      const at = this.#grow(bytes.length)
      this.#buffer.set(bytes, at)
      return
    }
    this.#seal()
    this.#sealed.push(bytes)
    this.#sealedBytes += bytes.length
  }

  array<Item>(items: readonly Item[], write: (item: Item) => void): void {
    if (this.flexible) this.uvarint(items.length + 1)
    else this.int32(items.length)
    for (const item of items) write(item)
  }

  nullableArray<Item>(items: readonly Item[] | null, write: (item: Item) => void): void {
    if (items !== null) this.array(items, write)
    else if (this.flexible) this.uvarint(0)
    else this.int32(-1)
  }

  /** @param fields what writes the field of each tag, tags rising. */
  tags(fields: readonly (readonly [tag: number, write: (writer: Writer) => void])[] = noFields): void {
    if (!this.flexible) return
    this.uvarint(fields.length)
    for (const [tag, write] of fields) {
      const field = new Writer(true)
      write(field)
      this.uvarint(tag)
      this.uvarint(field.size)
      for (const part of field.finish()) this.raw(part)
    }
  }

  get size(): number {
    return this.#sealedBytes + this.#length
  }

  /** The bytes written, in order; the writer is used up. */
  finish(): Buffer[] {
    this.#seal()
    return this.#sealed
  }

  /** The bytes written behind their length as int32: a frame ready for a socket. */
  static frame(flexible: boolean, write: (writer: Writer) => void): Buffer[] {
    const writer = new Writer(flexible)
    writer.int32(0)
    write(writer)
    const size = writer.size
    const parts = writer.finish()
    parts[0]!.writeInt32BE(size - 4, 0)
    return parts
  }

  #byte(value: number): void {
    const at = this.#grow(1)
    this.#buffer[at] = value
  }

  #seal(): void {
    if (this.#length === 0) return
    this.#sealed.push(this.#buffer.subarray(0, this.#length))
    this.#sealedBytes += this.#length
    this.#buffer = Buffer.allocUnsafe(INITIAL_BYTES)
    this.#length = 0
  }

  /** Makes room and returns where to write; may replace the buffer, so it is called before the buffer is looked at. */
  #grow(bytes: number): number {
    const at = this.#length
    const needed = at + bytes
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
      larger.set(this.#buffer.subarray(0, at))
      this.#buffer = larger
    }
    this.#length = needed
    return at
  }
}
