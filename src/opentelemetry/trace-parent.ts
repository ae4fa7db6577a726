/** The header in which W3C has ids and flags of a context. */
export const traceParent = 'traceparent'

/** What goes with it and says nothing of whether a trace is sampled. */
export const besideTraceParent: ReadonlySet<string> = new Set(['tracestate', 'baggage'])

const digits = new Int8Array(256).fill(-1)
for (let digit = 0; digit < 16; digit += 1) digits[digit.toString(16).charCodeAt(0)] = digit

const dash = '-'.charCodeAt(0)
const zero = '0'.charCodeAt(0)
/** `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits. */
const length = 55

/**
 * Whether it is of version 00, without a flaw, and of a trace that is not sampled. Byte by byte, since it is asked of every
 * record; for all others there is the propagator.
 */
export function isUnsampledParent(value: Buffer): boolean {
  if (value.length !== length || value[0] !== zero || value[1] !== zero) return false
  if (value[2] !== dash || value[35] !== dash || value[52] !== dash) return false
  if (bitsOf(value, 3, 35) <= 0 || bitsOf(value, 36, 52) <= 0) return false
  return bitsOf(value, 53, 54) >= 0 && (bitsOf(value, 54, length) & 1) === 0
}

/** All bits of these hexadecimal digits, one over the other; negative when one is none. */
function bitsOf(value: Buffer, from: number, to: number): number {
  let bits = 0
  for (let at = from; at < to; at += 1) bits |= digits[value[at] as number] as number
  return bits
}
