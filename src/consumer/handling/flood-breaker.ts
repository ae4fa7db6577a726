/** How many dead letters are too many. */
export interface BreakerLimits {
  /** Part of the records of a partition that may become dead letters. */
  readonly ratio: number
  /** Fewer records than this tell nothing about a ratio. */
  readonly minRecords: number
  /** Dead letters with nothing handled between them. */
  readonly consecutive: number
}

interface Stretch {
  readonly records: number
  readonly letters: number
}

const nothing: Stretch = { records: 0, letters: 0 }

/**
 * Tells when the dead letters of one partition are a flood: not single bad records, but a reader that fails whatever comes,
 * or a writer gone wrong. Looked at when a letter is due, so records that are handled cost a count and nothing else.
 *
 * The ratio is taken over the running stretch of `minRecords` records and the one before, so a flood after a long good time
 * is seen as soon as one after a short one.
 */
export class FloodBreaker {
  readonly #limits: BreakerLimits
  #before = nothing
  /** Records of the running stretch are those after this many. */
  #handledBefore = 0
  #letters = 0
  #handledAtLast = -1
  #inARow = 0

  constructor(limits: BreakerLimits) {
    this.#limits = limits
  }

  /**
   * A letter is due.
   *
   * @param handled records of the partition that were done otherwise, so far
   * @returns what is too much, for a sentence; `null` when the letter may go
   */
  letter(handled: number): string | null {
    this.#inARow = handled === this.#handledAtLast ? this.#inARow + 1 : 1
    this.#handledAtLast = handled
    this.#letters += 1
    const { ratio, minRecords, consecutive } = this.#limits
    if (this.#inARow > consecutive) return `${consecutive} records in a row`
    const running: Stretch = { records: handled - this.#handledBefore + this.#letters, letters: this.#letters }
    const records = running.records + this.#before.records
    const letters = running.letters + this.#before.letters
    if (records >= minRecords && letters > ratio * records) return `${letters} of ${records} records`
    if (running.records >= minRecords) this.#nextStretch(running, handled)
    return null
  }

  #nextStretch({ records, letters }: Stretch, handled: number): void {
    const { minRecords } = this.#limits
    this.#before = { records: minRecords, letters: Math.round((letters * minRecords) / records) }
    this.#handledBefore = handled
    this.#letters = 0
  }
}
