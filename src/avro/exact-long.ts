import avsc from 'avsc'

/** What of avsc's cursor in a buffer is used here. */
interface Tap {
  buf: Buffer
  pos: number
  readLong(): number
}

interface LongMethods {
  _write(tap: Tap, value: number): void
}

const longMethods = avsc.types.LongType.prototype as unknown as LongMethods

/** As far as twice the number, which is what stands in the bytes, is a double too. */
const exactUntil = 2 ** 52

/**
 * A long as a number. avsc reckons with doubles, in which the bytes of a number below -2^52 come out as those of a positive
 * one, and the other way round; those are reckoned with integers here.
 */
export class ExactLong extends avsc.types.LongType {
  protected _read(tap: Tap): number {
    const begin = tap.pos
    const value = tap.readLong()
    if (Math.abs(value) < exactUntil || tap.pos > tap.buf.length) return value
    const exact = zigzagAt(tap.buf, begin, tap.pos)
    if (!this.isValid(Number(exact))) throw new Error('potential precision loss')
    return Number(exact)
  }

  protected _write(tap: Tap, value: number): void {
    if (typeof value !== 'number' || value >= -exactUntil || !this.isValid(value))
      longMethods._write.call(this, tap, value)
    else writeVarint(tap, BigInt(value) * -2n - 1n)
  }
}

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
