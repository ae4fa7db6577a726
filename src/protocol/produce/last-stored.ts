/** Where the last batch of a partition was stored, as far as brokers told. */
export class LastStored {
  #offset = -1

  /** @returns whether a stored batch lies below an earlier one: an unclean election, or the topic was made anew. */
  wentBack(baseOffset: number, recordCount: number): boolean {
    const back = baseOffset <= this.#offset
    this.#offset = baseOffset + recordCount - 1
    return back
  }
}
