const hashBits = 14
const shift = 32 - hashBits
const table = new Int32Array(1 << hashBits)

/** Starts a new block: nothing before it can be referred to. */
export function forgetMatches(): void {
  table.fill(-1)
}

function read32(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** The last place where these four bytes stood, or -1; from now on it is this one. */
export function lastMatch(bytes: Buffer, at: number): number {
  const four = read32(bytes, at)
  const slot = Math.imul(four, 0x9e3779b1) >>> shift
  const before = table[slot]!
  table[slot] = at
  return before >= 0 && read32(bytes, before) === four ? before : -1
}
