/** Writes Kafka's primitive types one after the other. */
export class Bytes {
  readonly #parts: Buffer[] = []

  int8(value: number): this {
    this.#parts.push(Buffer.of(value & 0xff))
    return this
  }

  int16(value: number): this {
    const part = Buffer.alloc(2)
    part.writeInt16BE(value)
    return this.raw(part)
  }

  int32(value: number): this {
    const part = Buffer.alloc(4)
    part.writeInt32BE(value)
    return this.raw(part)
  }

  float64(value: number): this {
    const part = Buffer.alloc(8)
    part.writeDoubleBE(value)
    return this.raw(part)
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1)
    const text = Buffer.from(value)
    return this.int16(text.length).raw(text)
  }

  array<T>(items: readonly T[], write: (bytes: this, item: T) => unknown): this {
    this.int32(items.length)
    for (const item of items) write(this, item)
    return this
  }

  compactString(value: string): this {
    const text = Buffer.from(value)
    return this.uvarint(text.length + 1).raw(text)
  }

  compactArray<T>(items: readonly T[], write: (bytes: this, item: T) => unknown): this {
    this.uvarint(items.length + 1)
    for (const item of items) write(this, item)
    return this
  }

  noTags(): this {
    return this.uvarint(0)
  }

  raw(part: Buffer): this {
    this.#parts.push(part)
    return this
  }

  uvarint(value: number): this {
    let rest = value
    while (rest >= 0x80) {
      this.int8((rest & 0x7f) | 0x80)
      rest >>>= 7
    }
    return this.int8(rest)
  }

  done(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** Reads them in the same order. */
export class Answer {
  #at = 0

  constructor(private readonly bytes: Buffer) {}

  int8(): number {
    return this.bytes.readInt8(this.#advance(1))
  }

  int16(): number {
    return this.bytes.readInt16BE(this.#advance(2))
  }

  int32(): number {
    return this.bytes.readInt32BE(this.#advance(4))
  }

  string(): string | null {
    return this.#text(this.int16())
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read)
  }

  compactString(): string | null {
    return this.#text(this.uvarint() - 1)
  }

  compactArray<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.uvarint() - 1) }, read)
  }

  tags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.#advance(this.uvarint())
    }
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes.readUInt8(this.#advance(1))
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  #text(length: number): string | null {
    if (length < 0) return null
    const start = this.#advance(length)
    return this.bytes.toString('utf8', start, start + length)
  }

  #advance(by: number): number {
    const start = this.#at
    this.#at += by
    return start
  }
}
