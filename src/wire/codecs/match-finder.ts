/** Entries of the table for the largest blocks; small ones use less, which is quicker to clear. */
const largestBits = 14
const smallestBits = 8
const table = new Int32Array(1 << largestBits)

/** Finds what stood before in the same block. There is one table: nothing else may look for matches until this is done. */
export class MatchFinder {
  readonly #view: DataView
  readonly #shift: number
  #start = 0

  constructor(bytes: Buffer, blockBytes: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const bits = Math.min(largestBits, Math.max(smallestBits, 32 - Math.clz32(Math.min(bytes.length, blockBytes))))
    this.#shift = 32 - bits
    table.fill(-1, 0, 1 << bits)
  }

  /** Nothing before `start` can be referred to. */
  startBlock(start: number): void {
    this.#start = start
  }

  /** The last place where these four bytes stood, or -1; from now on it is this one. */
  lastMatch(at: number): number {
    const four = this.#view.getInt32(at, true)
    const slot = Math.imul(four, 0x9e3779b1) >>> this.#shift
    const before = table[slot]!
    table[slot] = at
    return before >= this.#start && this.#view.getInt32(before, true) === four ? before : -1
  }

  /** As `lastMatch` when no match is wanted here. */
  note(at: number): void {
    table[Math.imul(this.#view.getInt32(at, true), 0x9e3779b1) >>> this.#shift] = at
  }

  /** How far two places that begin with the same four bytes are the same. @param end where to stop at `at` */
  matchLength(before: number, at: number, end: number): number {
    const view = this.#view
    const most = end - at
    let length = 4
    while (length + 4 <= most && view.getInt32(before + length, true) === view.getInt32(at + length, true)) length += 4
    while (length < most && view.getInt8(before + length) === view.getInt8(at + length)) length++
    return length
  }
}
