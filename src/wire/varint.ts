/** Zigzag fits 32 bits: the signed value is in [-2^30, 2^30). */
function isShort(value: number): boolean {
  return value >= -1_073_741_824 && value < 1_073_741_824
}

/** Bytes that `writeVarint` takes. */
export function varintBytes(value: number): number {
  if (value >= -64 && value < 64) return 1
  if (value >= -8_192 && value < 8_192) return 2
  if (value >= -1_048_576 && value < 1_048_576) return 3
  let rest = zigzagLong(value)
  let bytes = 1
  while (rest >= 128) {
    rest = Math.floor(rest / 128)
    bytes++
  }
  return bytes
}

/** Writes a zigzag number of variable length; returns where it ends. */
export function writeVarint(target: Buffer, start: number, value: number): number {
  let at = start
  if (isShort(value)) {
    let rest = (value << 1) ^ (value >> 31)
    while (rest > 127) {
      target[at++] = (rest & 127) | 128
      rest >>>= 7
    }
    target[at++] = rest
    return at
  }
  let rest = zigzagLong(value)
  while (rest >= 128) {
    target[at++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  target[at++] = rest
  return at
}

/** Exact while the value is within 2^52. */
function zigzagLong(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}
