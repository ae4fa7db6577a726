interface Start {
  readonly epoch: number
  readonly from: number
}

/** Most changes of leader that are kept; beyond, commits of old offsets say that they do not know. */
const mostStarts = 64

/** From which offset on the records of one partition were written by which leader, as they were read. */
export class EpochLine {
  /** Rising. Nothing is known below the first. */
  #starts: Start[] = []

  /**
   * @param position next offset to read
   * @param epoch of the record before it; -1 when unknown
   */
  constructor(position: number, epoch: number) {
    if (epoch >= 0 && position > 0) this.#starts.push({ epoch, from: position - 1 })
  }

  /** Records from `offset` on were read, written by the leader of `epoch`. */
  read(offset: number, epoch: number): void {
    const last = this.#starts.at(-1)
    if (last?.epoch === epoch) return
    if (last !== undefined && offset <= last.from) this.#starts = this.#starts.filter(({ from }) => from < offset)
    this.#starts.push({ epoch, from: offset })
    if (this.#starts.length > mostStarts) this.#starts.shift()
  }

  /** Of the last record before `offset`; -1 when unknown. */
  before(offset: number): number {
    for (let index = this.#starts.length - 1; index >= 0; index -= 1) {
      const start = this.#starts[index]!
      if (start.from < offset) return start.epoch
    }
    return -1
  }
}
