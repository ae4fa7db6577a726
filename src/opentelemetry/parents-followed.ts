/** So many are asked for before it is taken that the sampler does as parents say. */
const askedFirst = 16
/** Of those that follow one in so many: samplers change. */
const askedThen = 256

/**
 * Whether a tracer makes spans in traces that are not sampled. The samplers that follow parents, as SDKs have them unless told
 * otherwise, record none, so what would be asked for in vain for each record is not asked for.
 *
 * | the tracer | is asked |
 * |------------|----------|
 * | has recorded none so far | for the first 16 spans, then for one in 256 |
 * | has recorded one | for all |
 * | is to be asked always | for all |
 */
export class ParentsFollowed {
  #isFollowing: boolean
  #spans = 0

  constructor(isAlwaysAsked: boolean) {
    this.#isFollowing = !isAlwaysAsked
  }

  /** Whether the next span in a trace that is not sampled need not be asked for. */
  skips(): boolean {
    if (!this.#isFollowing) return false
    this.#spans += 1
    return this.#spans > askedFirst && this.#spans % askedThen !== 0
  }

  /** It was asked for one. */
  answered(isRecorded: boolean): void {
    if (isRecorded) this.#isFollowing = false
  }
}
