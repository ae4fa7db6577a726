/** Makes the watermark of one partition from its timestamps, in the order of its log. */
export interface WatermarkGenerator {
  /** A record of that time came, in ms since the Unix epoch. */
  onRecord(timestamp: number): void
  /** No record of this time or an earlier one is expected any more; `-Infinity` while nothing is known. */
  currentWatermark(): number
}

/** Records are at most so much older than the newest before them. */
export class BoundedOutOfOrderness implements WatermarkGenerator {
  readonly #bound: number
  #max = -Infinity

  constructor(maxOutOfOrdernessMs: number) {
    this.#bound = maxOutOfOrdernessMs
  }

  onRecord(timestamp: number): void {
    if (timestamp > this.#max) this.#max = timestamp
  }

  /** One less, since another record of exactly that time may come. */
  currentWatermark(): number {
    return this.#max - this.#bound - 1
  }
}

export interface SlackBounds {
  /** Part of the records that should be in time, for example 0.999. */
  readonly quantile: number
  readonly maxMs: number
  readonly minMs: number
}

/** Each bucket of delays is this much wider than the one before. */
const growth = 1.1
const perLog = 1 / Math.log(growth)
/** After so many records the histogram is weighed anew, and the slack may fall. */
const stretch = 256
/** So much of a record's weight is left a stretch later. */
const decay = 0.9

/**
 * Slack that follows the delays seen: it rises at once when a delay is beyond it, and falls by a quarter of the difference
 * per stretch of records, so one straggler costs waiting for a while and not for ever. It depends on the order of its own
 * partition alone.
 */
export class AdaptiveSlack implements WatermarkGenerator {
  readonly #bounds: SlackBounds
  /** Weight by delay: bucket 0 has no delay, bucket i delays up to `growth ** i` ms. */
  readonly #weights: number[] = []
  #total = 0
  #weight = 1
  #records = 0
  #max = -Infinity
  #slack: number
  #watermark = -Infinity

  constructor(bounds: SlackBounds) {
    this.#bounds = bounds
    this.#slack = bounds.minMs
  }

  get slackMs(): number {
    return this.#slack
  }

  onRecord(timestamp: number): void {
    this.#count(this.#max > timestamp ? this.#max - timestamp : 0)
    if (timestamp > this.#max) this.#max = timestamp
    this.#records += 1
    const wanted = this.#wanted()
    if (wanted > this.#slack) this.#slack = wanted
    if (this.#records % stretch === 0) {
      if (wanted < this.#slack) this.#slack -= (this.#slack - wanted) / 4
      this.#weight /= decay
      if (this.#weight > 1e12) this.#rescale()
    }
    this.#watermark = Math.max(this.#watermark, Math.floor(this.#max - this.#slack) - 1)
  }

  currentWatermark(): number {
    return this.#watermark
  }

  #count(delay: number): void {
    const bucket = delay <= 0 ? 0 : 1 + Math.max(0, Math.ceil(Math.log(delay) * perLog))
    while (this.#weights.length <= bucket) this.#weights.push(0)
    this.#weights[bucket] = (this.#weights[bucket] as number) + this.#weight
    this.#total += this.#weight
  }

  #wanted(): number {
    const { quantile, minMs, maxMs } = this.#bounds
    let above = this.#total * (1 - quantile)
    for (let bucket = this.#weights.length - 1; bucket >= 0; bucket -= 1) {
      above -= this.#weights[bucket] as number
      if (above < 0) return Math.min(maxMs, Math.max(minMs, bucket === 0 ? 0 : growth ** (bucket - 1)))
    }
    return minMs
  }

  /** Older records weigh less because newer ones weigh more; before the numbers grow too large all are made small. */
  #rescale(): void {
    for (let bucket = 0; bucket < this.#weights.length; bucket += 1)
      this.#weights[bucket] = (this.#weights[bucket] as number) / this.#weight
    this.#total /= this.#weight
    this.#weight = 1
  }
}
