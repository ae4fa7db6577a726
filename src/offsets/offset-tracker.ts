import { mergeRanges, type OffsetRange } from './offset-range.js'

const received = 0
const started = 1
const settled = 2

const initialCapacity = 64

/**
 * Which records of one partition and one assignment are done. Records are received in rising order (offsets may have
 * holes) and settled in any order. Each received record gets a ticket, its place in the order of receipt; a ring holds
 * nine bytes for each record between the lowest unfinished one and the newest.
 */
export class OffsetTracker {
  #offsets = new Float64Array(initialCapacity)
  #states = new Uint8Array(initialCapacity)
  #mask = initialCapacity - 1
  /** Ticket of the lowest unfinished record; equal to `#tail` when nothing is unfinished. */
  #head = 0
  /** The next ticket. */
  #tail = 0
  /** Records beyond the head that are settled already. */
  #settledBeyond = 0
  /** Next offset to receive. */
  #end: number
  #restored: readonly OffsetRange[]
  #settledEnd: number

  /**
   * @param position next offset to read
   * @param completed ranges at or beyond it that an earlier owner finished: their records are not handed out again
   */
  constructor(position: number, completed: readonly OffsetRange[] = []) {
    this.#end = position
    this.#settledEnd = position
    this.#restored = mergeRanges(completed.map(({ from, to }) => ({ from: Math.max(from, position), to })))
  }

  /** Next offset to read. */
  get end(): number {
    return this.#end
  }

  /** Records from the lowest unfinished one to the newest: what is kept in memory, settled or not. */
  get window(): number {
    return this.#tail - this.#head
  }

  /** Records received and not settled. */
  get unfinished(): number {
    return this.#tail - this.#head - this.#settledBeyond
  }

  /** Everything below is done: the lowest unfinished offset, else the next one to read. Never goes back. */
  get committable(): number {
    return this.#head < this.#tail ? (this.#offsets[this.#head & this.#mask] as number) : this.#end
  }

  /** Takes a record in. Returns its ticket, or -1 when it is not to be handled: seen before, or finished by an earlier owner. */
  receive(offset: number): number {
    if (offset < this.#end) return -1
    const ticket = this.#tail
    if (ticket - this.#head > this.#mask) this.#grow()
    this.#offsets[ticket & this.#mask] = offset
    this.#states[ticket & this.#mask] = received
    this.#tail = ticket + 1
    this.#end = offset + 1
    if (this.#restored.length === 0 || !this.#isRestored(offset)) return ticket
    this.settle(ticket)
    return -1
  }

  /** The fetch that was received ends here: holes and control records up to it are passed. */
  receivedUpTo(nextOffset: number): void {
    if (nextOffset > this.#end) this.#end = nextOffset
  }

  /** Handling has begun, so an abandoned record may have had effects. */
  start(ticket: number, count = 1): void {
    for (let at = Math.max(ticket, this.#head); at < ticket + count; at++) {
      const slot = at & this.#mask
      if (this.#states[slot] === received) this.#states[slot] = started
    }
  }

  /** Handling has ended for good. Settling twice changes nothing. */
  settle(ticket: number, count = 1): void {
    for (let at = Math.max(ticket, this.#head); at < ticket + count; at++) this.#settleOne(at)
  }

  #settleOne(ticket: number): void {
    if (ticket < this.#head) return
    const slot = ticket & this.#mask
    if (ticket !== this.#head) {
      if (this.#states[slot] !== settled) this.#settledBeyond += 1
      this.#states[slot] = settled
      return
    }
    this.#head += 1
    while (this.#settledBeyond > 0 && this.#states[this.#head & this.#mask] === settled) {
      this.#settledBeyond -= 1
      this.#head += 1
    }
    this.#settledEnd = (this.#offsets[(this.#head - 1) & this.#mask] as number) + 1
  }

  /** Finished ranges beyond the committable offset, in order; the walk ends when it has met `most`. */
  completedRanges(most = Infinity): readonly OffsetRange[] {
    if (this.#settledBeyond === 0 && this.#restored.length === 0) return noRanges
    const ranges = this.#rangesIn(settled, most)
    if (ranges.length >= most) return ranges
    for (const { from, to } of this.#restored) ranges.push({ from: Math.max(from, this.#end), to })
    return mergeRanges(ranges).slice(0, most)
  }

  /** Ranges whose handling began and has not ended. */
  startedRanges(): readonly OffsetRange[] {
    return mergeRanges(this.#rangesIn(started))
  }

  /** Records whose handling began and has not ended. */
  startedRecords(): number {
    let count = 0
    for (let at = this.#head; at < this.#tail; at++) if (this.#states[at & this.#mask] === started) count += 1
    return count
  }

  /** One past the highest settled offset below which everything is done; the starting position when nothing is. */
  get touchedEnd(): number {
    return this.#settledEnd
  }

  /** Runs of one state. A run spans the holes inside it, since nothing is there to be handled. */
  #rangesIn(state: number, most = Infinity): OffsetRange[] {
    const ranges: OffsetRange[] = []
    let from = -1
    for (let at = this.#head; at <= this.#tail && ranges.length < most; at++) {
      const matches = at < this.#tail && this.#states[at & this.#mask] === state
      if (matches && from === -1) from = this.#offsets[at & this.#mask] as number
      if (matches || from === -1) continue
      ranges.push({ from, to: (this.#offsets[(at - 1) & this.#mask] as number) + 1 })
      from = -1
    }
    return ranges
  }

  #isRestored(offset: number): boolean {
    let passed = 0
    for (const range of this.#restored) {
      if (offset < range.to) break
      passed += 1
    }
    if (passed > 0) this.#restored = this.#restored.slice(passed)
    const range = this.#restored[0]
    return range !== undefined && offset >= range.from
  }

  #grow(): void {
    const capacity = (this.#mask + 1) * 2
    const offsets = new Float64Array(capacity)
    const states = new Uint8Array(capacity)
    for (let at = this.#head; at < this.#tail; at++) {
      offsets[at & (capacity - 1)] = this.#offsets[at & this.#mask] as number
      states[at & (capacity - 1)] = this.#states[at & this.#mask] as number
    }
    this.#offsets = offsets
    this.#states = states
    this.#mask = capacity - 1
  }
}

const noRanges: readonly OffsetRange[] = Object.freeze([])
