import avsc from 'avsc'

/** What of avsc's cursor in a buffer is used here. */
interface Tap {
  readonly buf: Buffer
  pos: number
  readLong(): number
  readString(): string
  skipString(): void
}

/** What of its types, and of resolvers that borrow their methods. */
interface Reads {
  _read(tap: Tap): unknown
  _skip(tap: Tap): void
}

/** Items may take no bytes (null, a record without fields), so that their number cannot be told by the bytes that are left. */
const mostEmpty = 100_000

/**
 * An array whose count of items is believed as far as its bytes go. avsc makes room for the count and reads that often,
 * beyond the end too, so that ten bytes of another schema fill the memory.
 */
export class BoundedArray extends avsc.types.ArrayType {
  protected _read(tap: Tap): unknown[] {
    const items = readsOf(this.itemsType)
    const end = tap.buf.length
    let values: unknown[] | null = null
    let at = 0
    for (let count = countOf(tap); count > 0; count = countOf(tap)) {
      // Room for the first block, which mostly is the only one.
      values ??= new Array<unknown>(believed(count, tap))
      for (let left = believed(count, tap); left > 0; left -= 1) {
        values[at] = items._read(tap)
        at += 1
        if (tap.pos > end) throw endsEarly()
      }
    }
    return values ?? []
  }

  protected _skip(tap: Tap): void {
    const items = readsOf(this.itemsType)
    skipBlocks(tap, () => items._skip(tap))
  }
}

/** The same of a map. What its bytes call `__proto__` is an entry like any other, and not where the map inherits from. */
export class BoundedMap extends avsc.types.MapType {
  protected _read(tap: Tap): Record<string, unknown> {
    const values = readsOf(this.valuesType)
    const map: Record<string, unknown> = {}
    for (let count = countOf(tap); count > 0; count = countOf(tap)) {
      for (let left = believed(count, tap); left > 0; left -= 1) {
        const key = tap.readString()
        const value = values._read(tap)
        if (tap.pos > tap.buf.length) throw endsEarly()
        if (key === '__proto__') putOwn(map, key, value)
        else map[key] = value
      }
    }
    return map
  }

  protected _skip(tap: Tap): void {
    const values = readsOf(this.valuesType)
    skipBlocks(tap, () => {
      tap.skipString()
      values._skip(tap)
    })
  }
}

function readsOf(type: avsc.Type): Reads {
  return type as unknown as Reads
}

/** Of the next block; 0 is the end. A negative one has the size of the block behind it. */
function countOf(tap: Tap): number {
  const count = tap.readLong()
  if (count >= 0) return count
  tap.readLong()
  return -count
}

function skipBlocks(tap: Tap, skipItem: () => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) {
      const size = tap.readLong()
      if (size < 0 || size > tap.buf.length - tap.pos) throw endsEarly()
      tap.pos += size
      continue
    }
    for (let left = believed(count, tap); left > 0; left -= 1) {
      skipItem()
      if (tap.pos > tap.buf.length) throw endsEarly()
    }
  }
}

function believed(count: number, { buf, pos }: Tap): number {
  if (count > buf.length - pos && count > mostEmpty) throw endsEarly()
  return count
}

function putOwn(map: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true })
}

function endsEarly(): Error {
  return new Error('the bytes end before the items that they count')
}
