import { optionProblem, wholeNumber, type Rules } from '../input/option-rules.js'

/** How much is shed: nothing at 0. */
export type Level = 0 | 1 | 2 | 3

/** When a ladder rises and falls. */
export interface LadderOptions {
  /** Lag, in records, at which levels 1, 2 and 3 begin; each more than the one before. Default 100,000, 200,000, 500,000. */
  readonly raiseAt?: readonly [number, number, number] | undefined
  /** So many looks running must say so before it rises by one. Default 3. */
  readonly raiseAfter?: number | undefined
  /** It falls by one where the lag is at most this part of where its level begins, from 0 to below 1. Default 0.5. */
  readonly clearShare?: number | undefined
  /** So many looks running must say so. Default 5. */
  readonly clearAfter?: number | undefined
}

export const ladderRules: Rules<LadderOptions> = {
  raiseAt: {
    expected: 'three whole numbers from 1, each more than the one before: where levels 1, 2 and 3 begin',
    accepts: (value) => Array.isArray(value) && value.length === 3 && value.every(isLagAbove),
  },
  raiseAfter: wholeNumber(1),
  clearShare: {
    expected: 'a number from 0 to below 1',
    accepts: (value) => typeof value === 'number' && value >= 0 && value < 1,
  },
  clearAfter: wholeNumber(1),
}

function isLagAbove(lag: unknown, at: number, lags: readonly unknown[]): boolean {
  return Number.isSafeInteger(lag) && (lag as number) > (at === 0 ? 0 : (lags[at - 1] as number))
}

/**
 * Levels by lag, one step at a time.
 *
 * | level | looks running | becomes |
 * |-------|---------------|---------|
 * | n < 3 | `raiseAfter` with a lag of `raiseAt[n]` or more, none of them below the one before where n > 0 | n + 1 |
 * | n > 0 | `clearAfter` with a lag of at most `clearShare` × `raiseAt[n - 1]` | n − 1 |
 * | any   | one that could not see | the same, and both are counted anew |
 * | any   | anything else | the same |
 *
 * Above the first level only a lag that does not shrink raises further: what is being worked off needs no more shedding.
 */
export class Ladder {
  readonly #raiseAt: readonly number[]
  readonly #raiseAfter: number
  readonly #clearShare: number
  readonly #clearAfter: number
  #level: Level = 0
  #high = 0
  #low = 0
  #before = 0

  /** @throws ConfigError with every problem of the options */
  constructor(options: LadderOptions = {}) {
    const problem = optionProblem('Ladder', options, ladderRules)
    if (problem !== null) throw problem
    this.#raiseAt = options.raiseAt ?? [100_000, 200_000, 500_000]
    this.#raiseAfter = options.raiseAfter ?? 3
    this.#clearShare = options.clearShare ?? 0.5
    this.#clearAfter = options.clearAfter ?? 5
  }

  get level(): Level {
    return this.#level
  }

  /**
   * The level after one more look.
   *
   * @param lag in records; `null` when the look could not see it
   */
  look(lag: number | null): Level {
    if (lag === null) {
      this.#countAnew()
      return this.#level
    }
    const [raiseAt, beganAt] = [this.#raiseAt[this.#level], this.#raiseAt[this.#level - 1]]
    const isHigh = raiseAt !== undefined && lag >= raiseAt && (this.#level === 0 || lag >= this.#before)
    const isLow = beganAt !== undefined && lag <= beganAt * this.#clearShare
    this.#high = isHigh ? this.#high + 1 : 0
    this.#low = isLow ? this.#low + 1 : 0
    this.#before = lag
    if (this.#high >= this.#raiseAfter) this.#step(1)
    else if (this.#low >= this.#clearAfter) this.#step(-1)
    return this.#level
  }

  #step(by: 1 | -1): void {
    this.#level = (this.#level + by) as Level
    this.#countAnew()
  }

  #countAnew(): void {
    this.#high = 0
    this.#low = 0
  }
}
