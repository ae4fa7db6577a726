interface Start {
  readonly epoch: number
  readonly from: number
  /** A record of it was read. Told by a commit or a broker, it may be of a leader that wrote nothing. */
  readonly isRead: boolean
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
    if (epoch >= 0 && position > 0) this.#starts.push({ epoch, from: position - 1, isRead: false })
  }

  /** Records from `offset` on were read, written by the leader of `epoch`. */
  read(offset: number, epoch: number): void {
    const last = this.#starts.at(-1)
    if (last?.epoch === epoch && last.isRead) return
    if (last !== undefined && offset <= last.from) this.#starts = this.#starts.filter(({ from }) => from < offset)
    this.#starts.push({ epoch, from: offset, isRead: true })
    if (this.#starts.length > mostStarts) this.#starts.shift()
  }

  /** First offset that was read of a leader after that of `epoch`; `null` when none was. */
  firstAfter(epoch: number): number | null {
    return this.#starts.find((start) => start.isRead && start.epoch > epoch)?.from ?? null
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
