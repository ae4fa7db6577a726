import type { StoredBatch } from './stored-batch.js'

export interface AbortedTransaction extends EndedTransaction {
  readonly producerId: number
}

interface EndedTransaction {
  readonly firstOffset: number
  /** Offset of its marker. */
  readonly lastOffset: number
}

/** Which transactions of one partition are open, and which were aborted. */
export class TransactionIndex {
  /** First offset by producer, in the order they began. */
  readonly #open = new Map<number, number>()
  readonly #aborted: AbortedTransaction[] = []
  /** Whose markers may not be below the high watermark yet. */
  #lately: EndedTransaction[] = []

  note(batch: StoredBatch): void {
    if (!batch.isTransactional) return
    if (batch.control === 'none') {
      if (!this.#open.has(batch.producerId)) this.#open.set(batch.producerId, batch.baseOffset)
      return
    }
    const firstOffset = this.#open.get(batch.producerId)
    this.#open.delete(batch.producerId)
    if (firstOffset === undefined) return
    this.#lately.push({ firstOffset, lastOffset: batch.baseOffset })
    if (batch.control !== 'abort') return
    this.#aborted.push({ producerId: batch.producerId, firstOffset, lastOffset: batch.baseOffset })
  }

  /**
   * First offset of a transaction that is open, or whose marker a change of the leader could still take away; `Infinity`
   * when there is none.
   */
  firstUnstableOffset(highWatermark: number): number {
    this.#lately = this.#lately.filter(({ lastOffset }) => lastOffset >= highWatermark)
    let first = Infinity
    for (const offset of this.#open.values()) if (offset < first) first = offset
    for (const { firstOffset } of this.#lately) if (firstOffset < first) first = firstOffset
    return first
  }

  /** First offset of the producer's open transaction; -1 when it has none. */
  openSince(producerId: number): number {
    return this.#open.get(producerId) ?? -1
  }

  /** Aborted transactions with a record or marker in [from, until), by first offset. */
  abortedBetween(from: number, until: number): readonly AbortedTransaction[] {
    if (this.#aborted.length === 0) return []
    return this.#aborted
      .filter(({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < until)
      .sort((a, b) => a.firstOffset - b.firstOffset)
  }

  clear(): void {
    this.#open.clear()
    this.#aborted.length = 0
    this.#lately = []
  }
}
