interface EndAt {
  /** By `clock.now()`. */
  readonly at: number
  readonly end: number
}

/** Points that are kept of one log. */
const mostPoints = 64
/** Of these none is left out. */
const newestPoints = 16

/**
 * When the end of one log was where, since it was first looked at. It takes the same memory however long that is: when there
 * are too many points every second of the older ones goes, but never the first, so what is old is known less exactly.
 */
export class EndHistory {
  #points: EndAt[] = []

  /** How many points are kept. */
  get size(): number {
    return this.#points.length
  }

  note(at: number, end: number): void {
    const last = this.#points.at(-1)
    // Another log of the same name, or one that lost records: the times of its offsets are not known.
    if (last !== undefined && end < last.end) this.#points = []
    // While nothing comes two points tell the same as many.
    if (last?.end === end && this.#points.at(-2)?.end === end) this.#points.pop()
    this.#points.push({ at, end })
    if (this.#points.length > mostPoints) this.#thin()
  }

  /** How old the record at `offset` is, ms, by straight lines between the points; `null` when it is older than all of them. */
  ageOf(offset: number, now: number): number | null {
    // The first point beyond the offset, by halves: ends never fall.
    let [low, high] = [0, this.#points.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#points[middle] as EndAt).end > offset) high = middle
      else low = middle + 1
    }
    const [before, after] = [this.#points[low - 1], this.#points[low]]
    if (after === undefined) return 0
    if (before === undefined) return null
    const share = (offset - before.end) / (after.end - before.end)
    return Math.max(0, Math.round(now - (before.at + share * (after.at - before.at))))
  }

  #thin(): void {
    const older = this.#points.length - newestPoints
    this.#points = this.#points.filter((_, index) => index >= older || index % 2 === 0)
  }
}
