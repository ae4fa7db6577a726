/** Fewer are sorted by insertion. */
const few = 24
/** Room for the place of a record in its bucket, beside its code. */
const placeBits = 2 ** 20
/** Of codes, in each pass over them. */
const digitBits = 8
const digitMask = 2 ** digitBits - 1
/** Codes below it are taken digit by digit. */
const mostDigits = 2 ** 31

/**
 * Orders the records of buckets. It keeps its working memory from one to the next, so the order that it returns is good
 * until the next call.
 */
export class BucketOrder {
  #order = new Uint32Array(2_048)
  #byLane = new Uint32Array(0)
  #starts = new Uint32Array(4_096)
  #keys = new Float64Array(0)
  #digits = new Uint32Array(0)

  /**
   * Positions by code, equal codes as they came; only the first `codes.length` count.
   *
   * @param codes `time * lanes + lane`, time from 0 below `width`, lane from 0 below `lanes`
   */
  of(codes: readonly number[], width: number, lanes: number): Uint32Array {
    const count = codes.length
    if (count > this.#order.length) this.#order = new Uint32Array(count * 2)
    if (count < few) this.#byInsertion(codes)
    else if (width * lanes <= 4 * count) this.#byCode(codes, width * lanes)
    else if (width + lanes <= 4 * count) this.#byLaneAndTime(codes, width, lanes)
    else if (width * lanes <= mostDigits) this.#byDigits(codes, width * lanes)
    else if (count <= placeBits && width * lanes * placeBits <= Number.MAX_SAFE_INTEGER) this.#byNumbers(codes)
    else this.#byComparing(codes)
    return this.#order
  }

  #byInsertion(codes: readonly number[]): void {
    const order = this.#order
    for (let position = 0; position < codes.length; position += 1) {
      const code = codes[position] as number
      let at = position
      while (at > 0 && (codes[order[at - 1] as number] as number) > code) {
        order[at] = order[at - 1] as number
        at -= 1
      }
      order[at] = position
    }
  }

  #byCode(codes: readonly number[], size: number): void {
    const order = this.#order
    const starts = this.#cleared(size)
    for (let at = 0; at < codes.length; at += 1) starts[(codes[at] as number) + 1]! += 1
    for (let code = 1; code <= size; code += 1) starts[code]! += starts[code - 1]!
    for (let at = 0; at < codes.length; at += 1) order[starts[codes[at] as number]!++] = at
  }

  /** Two stable passes, the finer part first. */
  #byLaneAndTime(codes: readonly number[], width: number, lanes: number): void {
    if (codes.length > this.#byLane.length) this.#byLane = new Uint32Array(codes.length * 2)
    const [order, byLane] = [this.#order, this.#byLane]
    let starts = this.#cleared(lanes)
    for (let at = 0; at < codes.length; at += 1) starts[((codes[at] as number) % lanes) + 1]! += 1
    for (let lane = 1; lane <= lanes; lane += 1) starts[lane]! += starts[lane - 1]!
    for (let at = 0; at < codes.length; at += 1) byLane[starts[(codes[at] as number) % lanes]!++] = at
    starts = this.#cleared(width)
    for (let at = 0; at < codes.length; at += 1) starts[Math.floor((codes[at] as number) / lanes) + 1]! += 1
    for (let time = 1; time <= width; time += 1) starts[time]! += starts[time - 1]!
    for (let at = 0; at < codes.length; at += 1) {
      const position = byLane[at] as number
      order[starts[Math.floor((codes[position] as number) / lanes)]!++] = position
    }
  }

  /** Stable passes over some bits of the codes each, the lowest first. Their histograms are made in one walk. */
  #byDigits(codes: readonly number[], size: number): void {
    const count = codes.length
    if (count > this.#byLane.length) this.#byLane = new Uint32Array(count * 2)
    if (count > this.#digits.length) this.#digits = new Uint32Array(count * 2)
    const bits = 32 - Math.clz32(size - 1)
    const passes = Math.ceil(bits / digitBits)
    const counts = this.#cleared(passes << digitBits)
    const digits = this.#digits
    for (let at = 0; at < count; at += 1) {
      const code = codes[at] as number
      digits[at] = code
      for (let pass = 0; pass < passes; pass += 1)
        counts[(pass << digitBits) + ((code >>> (pass * digitBits)) & digitMask)]! += 1
    }
    // The last pass ends in the order that is asked for.
    let [from, to] = passes % 2 === 0 ? [this.#order, this.#byLane] : [this.#byLane, this.#order]
    for (let pass = 0; pass < passes; pass += 1) {
      const base = pass << digitBits
      for (let digit = 0, sum = 0; digit <= digitMask; digit += 1) {
        const here = counts[base + digit] as number
        counts[base + digit] = sum
        sum += here
      }
      const shift = pass * digitBits
      for (let at = 0; at < count; at += 1) {
        const position = pass === 0 ? at : (from[at] as number)
        to[counts[base + (((digits[position] as number) >>> shift) & digitMask)]!++] = position
      }
      ;[from, to] = [to, from]
    }
  }

  /** Code and position in one number, so that numbers are sorted and nothing is called. */
  #byNumbers(codes: readonly number[]): void {
    if (codes.length > this.#keys.length) this.#keys = new Float64Array(codes.length * 2)
    const keys = this.#keys.subarray(0, codes.length)
    for (let at = 0; at < codes.length; at += 1) keys[at] = (codes[at] as number) * placeBits + at
    keys.sort()
    for (let at = 0; at < keys.length; at += 1) this.#order[at] = (keys[at] as number) % placeBits
  }

  #byComparing(codes: readonly number[]): void {
    const positions = codes.map((_, position) => position)
    this.#order.set(positions.sort((one, other) => codes[one]! - codes[other]! || one - other))
  }

  #cleared(size: number): Uint32Array {
    if (size + 1 > this.#starts.length) this.#starts = new Uint32Array((size + 1) * 2)
    else this.#starts.fill(0, 0, size + 1)
    return this.#starts
  }
}
