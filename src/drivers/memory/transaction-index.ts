import type { StoredBatch } from './stored-batch.js'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of its marker. */
  readonly lastOffset: number
}

/** Which transactions of one partition are open, and which were aborted. */
export class TransactionIndex {
  /** First offset by producer, in the order they began. */
  readonly #open = new Map<number, number>()
  readonly #aborted: AbortedTransaction[] = []

  note(batch: StoredBatch): void {
    if (!batch.isTransactional) return
    if (batch.control === 'none') {
      if (!this.#open.has(batch.producerId)) this.#open.set(batch.producerId, batch.baseOffset)
      return
    }
    const firstOffset = this.#open.get(batch.producerId)
    this.#open.delete(batch.producerId)
    if (batch.control !== 'abort' || firstOffset === undefined) return
    this.#aborted.push({ producerId: batch.producerId, firstOffset, lastOffset: batch.baseOffset })
  }

  /** First offset that an open transaction holds back; `undefined` when none is open. */
  firstOpenOffset(): number | undefined {
    let first: number | undefined
    for (const offset of this.#open.values()) if (first === undefined || offset < first) first = offset
    return first
  }

  isOpen(producerId: number): boolean {
    return this.#open.has(producerId)
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
  }
}
