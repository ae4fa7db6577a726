import avsc from 'avsc'

/** What of avsc's cursor in a buffer is used here. */
interface Tap {
  buf: Buffer
  pos: number
  readLong(): number
}

interface Reads {
  _read: (tap: Tap) => number
}

interface ResolvingMethods {
  _update(resolver: Reads, type: avsc.Type): void
}

const doubleMethods = avsc.types.DoubleType.prototype as unknown as ResolvingMethods
const floatMethods = avsc.types.FloatType.prototype as unknown as ResolvingMethods

interface LongMethods {
  _write(tap: Tap, value: number): void
}

const longMethods = avsc.types.LongType.prototype as unknown as LongMethods

/** As far as twice the number, which is what stands in the bytes, is a double too. */
const exactUntil = 2 ** 52

/** Ends of what avsc takes for a long. */
const mostLong = 2 ** 53 - 2

/**
 * A long as a number. avsc reckons with doubles, in which the bytes of a number below -2^52 come out as those of a positive
 * one, and the other way round; those are reckoned with integers here. Resolvers borrow its methods, so none needs `this`.
 */
export class ExactLong extends avsc.types.LongType {
  protected _read(tap: Tap): number {
    const begin = tap.pos
    const value = tap.readLong()
    // Nearly all of them.
    if (value < exactUntil && value > -exactUntil) return value
    tap.pos = begin
    const exact = readNumber(tap)
    if (Math.abs(exact) > mostLong) throw new Error('potential precision loss')
    return exact
  }

  protected _write(tap: Tap, value: number): void {
    if (typeof value !== 'number' || value >= -exactUntil || !this.isValid(value))
      longMethods._write.call(this, tap, value)
    else writeVarint(tap, BigInt(value) * -2n - 1n)
  }
}

/** A double that is read from a long too, with its sign. */
export class LongAsDouble extends avsc.types.DoubleType {
  protected _update(resolver: Reads, type: avsc.Type): void {
    if (isLong(type)) resolver._read = readNumber
    else doubleMethods._update.call(this, resolver, type)
  }
}

/** The same of a float. */
export class LongAsFloat extends avsc.types.FloatType {
  protected _update(resolver: Reads, type: avsc.Type): void {
    if (isLong(type)) resolver._read = readNumber
    else floatMethods._update.call(this, resolver, type)
  }
}

/** The nearest number. */
function readNumber(tap: Tap): number {
  const begin = tap.pos
  const value = tap.readLong()
  if (Math.abs(value) < exactUntil || tap.pos > tap.buf.length) return value
  return Number(zigzagAt(tap.buf, begin, tap.pos))
}

const isLong = (type: avsc.Type): boolean => avsc.Type.isType(type, 'long', 'abstract:long')

function zigzagAt(bytes: Buffer, begin: number, end: number): bigint {
  let varint = 0n
  for (let at = end - 1; at >= begin; at -= 1) varint = (varint << 7n) | BigInt(bytes[at]! & 0x7f)
  return varint % 2n === 0n ? varint / 2n : -(varint + 1n) / 2n
}

/** Beyond the end too, as avsc does: that is how it sees that the buffer is too small. */
function writeVarint(tap: Tap, varint: bigint): void {
  let rest = varint
  for (; rest > 0x7fn; rest >>= 7n) tap.buf[tap.pos++] = Number(rest & 0x7fn) | 0x80
  tap.buf[tap.pos++] = Number(rest)
}
