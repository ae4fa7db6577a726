import type { EpochRange } from '../../offsets/leader-epochs.js'

interface Known extends EpochRange {
  to: number
  /** Of the records themselves, not of whoever led when a commit was made or an offset was looked up. */
  readonly isRead: boolean
}

/** Most ranges that are kept; beyond, commits of old offsets say that they do not know. */
const mostRanges = 64

/** Which leaders wrote the records of one partition, as far as they were read: by us, or by who told it with a commit. */
export class EpochLine {
  /** Rising, without overlaps. */
  #ranges: Known[] = []

  /**
   * @param position next offset to read
   * @param epoch of the record before it, told by a commit or a broker: it may be of a leader that wrote nothing; -1 when unknown
   * @param known what was read before; rising
   */
  constructor(position: number, epoch: number, known: readonly EpochRange[] = []) {
    if (epoch >= 0 && position > 0) this.#put({ from: position - 1, to: position, leaderEpoch: epoch, isRead: false })
    for (const { from, to, leaderEpoch } of known) this.#put({ from, to, leaderEpoch, isRead: true })
  }

  /** One after the last offset that anything is known of; 0 when nothing is. */
  get end(): number {
    return this.#ranges.at(-1)?.to ?? 0
  }

  /** Records from `from` up to `to` were read, written by the leader of `leaderEpoch`. */
  read(from: number, to: number, leaderEpoch: number): void {
    const last = this.#ranges.at(-1)
    if (last?.isRead === true && last.leaderEpoch === leaderEpoch && from >= last.from) last.to = Math.max(last.to, to)
    else this.#put({ from, to, leaderEpoch, isRead: true })
  }

  /** First offset that was read of a leader after that of `epoch`; `null` when none was. */
  firstAfter(epoch: number): number | null {
    return this.#ranges.find((range) => range.isRead && range.leaderEpoch > epoch)?.from ?? null
  }

  /** Of the last record before `offset`; -1 when unknown. */
  before(offset: number): number {
    for (let index = this.#ranges.length - 1; index >= 0; index -= 1) {
      const range = this.#ranges[index]!
      if (range.from < offset) return range.leaderEpoch
    }
    return -1
  }

  /** What was read of the records from `from` up to `to`. */
  within(from: number, to: number): readonly EpochRange[] {
    return this.#ranges
      .filter((range) => range.isRead && range.from < to && range.to > from)
      .map((range) => ({
        from: Math.max(from, range.from),
        to: Math.min(to, range.to),
        leaderEpoch: range.leaderEpoch,
      }))
  }

  /** What lies below is gone. */
  forgetBelow(offset: number): void {
    this.#ranges = this.#ranges.filter(({ to }) => to > offset)
  }

  /** The newest word stands; what is known beyond it stays. */
  #put(told: Known): void {
    const last = this.#ranges.at(-1)
    if (last === undefined || told.from >= last.to) this.#append(told)
    else if (!this.#ranges.some((range) => includes(range, told))) this.#insert(told)
  }

  #append(told: Known): void {
    const last = this.#ranges.at(-1)
    if (last !== undefined && isAlike(last, told)) last.to = told.to
    else this.#ranges.push(told)
    if (this.#ranges.length > mostRanges) this.#ranges.shift()
  }

  #insert(told: Known): void {
    const below = this.#ranges.filter(({ from }) => from < told.from)
    const beyond = this.#ranges.filter(({ to }) => to > told.to)
    this.#ranges = []
    for (const range of below) this.#append({ ...range, to: Math.min(range.to, told.from) })
    this.#append(told)
    for (const range of beyond) this.#append({ ...range, from: Math.max(range.from, told.to) })
  }
}

function isAlike(one: Known, other: Known): boolean {
  return one.leaderEpoch === other.leaderEpoch && one.isRead === other.isRead
}

function includes(range: Known, told: Known): boolean {
  return isAlike(range, told) && range.from <= told.from && told.to <= range.to
}
