import type { FetchedBatch, FetchedPartition, IsolationLevel } from '../connection/requests.js'
import type { ReceivedRecord } from '../message/record.js'

/** What of an answer a reader may see, and where it goes on. */
interface ReadableRecords {
  readonly records: readonly ReceivedRecord[]
  /** One after the last offset covered, whether or not a record was left at it. */
  readonly nextOffset: number
}

const none: readonly ReceivedRecord[] = Object.freeze([])

/**
 * The records at or after `position`, without control batches and, under read-committed, without those of aborted
 * transactions. The records of a single batch that needs no filtering are handed on as they are, not copied.
 */
export function readableRecords(
  fetched: FetchedPartition,
  position: number,
  isolation: IsolationLevel,
): ReadableRecords {
  const aborted =
    isolation === 'read-committed' && fetched.abortedTransactions.length > 0 ? new AbortedProducers(fetched) : null
  let nextOffset = position
  let single: readonly ReceivedRecord[] = none
  let joined: ReceivedRecord[] | null = null
  for (const batch of fetched.batches) {
    const visible = aborted === null || aborted.allows(batch)
    if (visible && batch.control === 'none' && batch.lastOffset >= position) {
      const records = batch.baseOffset >= position ? batch.records : fromOffset(batch.records, position)
      if (joined !== null) appendTo(joined, records)
      else if (single.length === 0) single = records
      else {
        joined = single.slice()
        appendTo(joined, records)
      }
    }
    if (batch.lastOffset >= nextOffset) nextOffset = batch.lastOffset + 1
  }
  return { records: joined ?? single, nextOffset }
}

/** A batch may begin before the asked offset. */
function fromOffset(records: readonly ReceivedRecord[], position: number): readonly ReceivedRecord[] {
  let low = 0
  let high = records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((records[middle]?.offset ?? Infinity) < position) low = middle + 1
    else high = middle
  }
  return low === 0 ? records : records.slice(low)
}

/** Not `push(...records)`: a batch can hold more records than a call may have arguments. */
function appendTo(target: ReceivedRecord[], records: readonly ReceivedRecord[]): void {
  for (let index = 0; index < records.length; index += 1) target.push(records[index] as ReceivedRecord)
}

/**
 * Follows the aborted transactions through one answer, batch by batch: one counts from its first offset on, until the
 * abort marker of its producer. The broker lists for every answer all that overlap it, so nothing is carried over.
 */
class AbortedProducers {
  readonly #byFirstOffset: FetchedPartition['abortedTransactions']
  readonly #open = new Set<number>()
  #next = 0

  constructor(fetched: FetchedPartition) {
    this.#byFirstOffset = [...fetched.abortedTransactions].sort((left, right) => left.firstOffset - right.firstOffset)
  }

  allows(batch: FetchedBatch): boolean {
    if (batch.producerId < 0) return true
    for (;;) {
      const transaction = this.#byFirstOffset[this.#next]
      if (transaction === undefined || transaction.firstOffset > batch.lastOffset) break
      this.#open.add(transaction.producerId)
      this.#next += 1
    }
    if (batch.control === 'abort') {
      this.#open.delete(batch.producerId)
      return true
    }
    return !(batch.isTransactional && this.#open.has(batch.producerId))
  }
}
