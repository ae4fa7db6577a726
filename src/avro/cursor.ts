import avsc from 'avsc'
import { prefixBytes } from '../registry/wire-format.js'

/** What avsc reads with. */
export interface Cursor {
  buf: Buffer
  pos: number
}

/** Types and resolvers of avsc. */
export interface Reads {
  _read(cursor: Cursor): unknown
}

/** avsc does not export the class, but gives one to each type that reads. */
class Probe extends avsc.types.LongType {
  static seen: Cursor | null = null

  protected _read(cursor: Cursor): number {
    Probe.seen = cursor
    return 0
  }
}

new Probe().decode(Buffer.alloc(1))
const first = Probe.seen as unknown as Cursor
const CursorOf = first.constructor as new (bytes: Buffer) => Cursor

const nothing = Buffer.alloc(0)

/** For the next value; `null` while one is read. */
let free: Cursor | null = first

/** The value behind the prefix. One cursor serves all, and holds no bytes in between. */
export function readValue(reads: Reads, bytes: Buffer): unknown {
  // What is read may run code of its own, which may read too.
  const cursor = free ?? new CursorOf(nothing)
  free = null
  cursor.buf = bytes
  cursor.pos = prefixBytes
  try {
    const value = reads._read(cursor)
    if (cursor.pos === bytes.length) return value
    throw new Error(cursor.pos > bytes.length ? 'the bytes end too early' : 'there are bytes behind the value')
  } finally {
    cursor.buf = nothing
    free = cursor
  }
}
