/** Fewer are sorted by insertion. */
const few = 24
/** Of codes, in each pass over them. */
const digitBits = 8
const digitMask = 2 ** digitBits - 1

/**
 * Orders the records of buckets. It keeps its working memory from one to the next, so the order that it returns is good
 * until the next call.
 */
export class BucketOrder {
  #order = new Uint32Array(4_096)
  #other = new Uint32Array(4_096)
  #counts = new Uint32Array(16_384)

  /**
   * Positions by code, equal codes as they came; only the first `count` count.
   *
   * @param codes from 0, below `size`, which is at most 2 ** 31
   */
  of(codes: Int32Array, count: number, size: number): Uint32Array {
    if (count > this.#order.length) {
      this.#order = new Uint32Array(count * 2)
      this.#other = new Uint32Array(count * 2)
    }
    if (count < few) this.#byInsertion(codes, count)
    else if (size <= 4 * count) this.#byCode(codes, count, size)
    else this.#byDigits(codes, count, size)
    return this.#order
  }

  #byInsertion(codes: Int32Array, count: number): void {
    const order = this.#order
    for (let position = 0; position < count; position += 1) {
      const code = codes[position] as number
      let at = position
      while (at > 0 && (codes[order[at - 1] as number] as number) > code) {
        order[at] = order[at - 1] as number
        at -= 1
      }
      order[at] = position
    }
  }

  #byCode(codes: Int32Array, count: number, size: number): void {
    const order = this.#order
    const counts = this.#cleared(size)
    for (let at = 0; at < count; at += 1) counts[codes[at] as number]! += 1
    toStarts(counts, 0, size)
    for (let at = 0; at < count; at += 1) order[counts[codes[at] as number]!++] = at
  }

  /** Stable passes over some bits of the codes each, the lowest first. Their histograms are made in one walk. */
  #byDigits(codes: Int32Array, count: number, size: number): void {
    const passes = Math.ceil((32 - Math.clz32(size - 1)) / digitBits)
    const counts = this.#cleared(passes << digitBits)
    for (let at = 0; at < count; at += 1) {
      const code = codes[at] as number
      for (let pass = 0; pass < passes; pass += 1)
        counts[(pass << digitBits) + ((code >>> (pass * digitBits)) & digitMask)]! += 1
    }
    // The last pass ends in the order that is asked for.
    let [from, to] = passes % 2 === 0 ? [this.#order, this.#other] : [this.#other, this.#order]
    for (let pass = 0; pass < passes; pass += 1) {
      const base = pass << digitBits
      const shift = pass * digitBits
      toStarts(counts, base, base + digitMask + 1)
      for (let at = 0; at < count; at += 1) {
        const position = pass === 0 ? at : (from[at] as number)
        to[counts[base + (((codes[position] as number) >>> shift) & digitMask)]!++] = position
      }
      ;[from, to] = [to, from]
    }
  }

  #cleared(size: number): Uint32Array {
    if (size > this.#counts.length) this.#counts = new Uint32Array(size * 2)
    else this.#counts.fill(0, 0, size)
    return this.#counts
  }
}

/** How many there are of each becomes how many there are before it. */
function toStarts(counts: Uint32Array, from: number, to: number): void {
  let sum = 0
  for (let at = from; at < to; at += 1) {
    const here = counts[at] as number
    counts[at] = sum
    sum += here
  }
}
