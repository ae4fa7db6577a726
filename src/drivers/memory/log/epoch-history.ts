interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

const unknown = { leaderEpoch: -1, endOffset: -1 } as const

/** At which offset each leader began to write, as every replica keeps it. Epochs without a record leave no trace. */
export class EpochHistory {
  #starts: EpochStart[] = []

  /** A leader of `epoch` writes from `startOffset` on. */
  begin(epoch: number, startOffset: number): void {
    this.#starts = this.#starts.filter((start) => start.startOffset < startOffset)
    this.#starts.push({ epoch, startOffset })
  }

  /** The log ends at `endOffset` now. */
  truncate(endOffset: number): void {
    this.#starts = this.#starts.filter((start) => start.startOffset < endOffset)
  }

  /** Where the log of `epoch` ended, or of the latest epoch before it; -1 when this history begins later or ends earlier. */
  endOf(epoch: number, logEndOffset: number): { readonly leaderEpoch: number; readonly endOffset: number } {
    const next = this.#starts.findIndex((start) => start.epoch > epoch)
    if (next === 0) return { leaderEpoch: epoch, endOffset: this.#starts[0]!.startOffset }
    const found = this.#starts.at(next === -1 ? -1 : next - 1)
    if (found === undefined || (next === -1 && found.epoch < epoch)) return unknown
    return { leaderEpoch: found.epoch, endOffset: this.#starts[next]?.startOffset ?? logEndOffset }
  }
}
