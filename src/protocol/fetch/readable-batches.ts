import type { FetchedBatch, FetchedPartition, IsolationLevel } from '../../connection/requests/fetch.js'
import type { FetchedRecords } from '../../driver/consumer.js'
import { allAtOnce, type NextRecords, type ReceivedRecord, type RecordBatch } from '../../message/record.js'

/** What of an answer a reader may see, and where it goes on. */
interface ReadableBatches {
  readonly batches: readonly RecordBatch[]
  /** One after the last offset covered, whether or not a record was left at it. */
  readonly nextOffset: number
}

/**
 * The batches with records at or after `position`, without control batches and, under read-committed, without those of
 * aborted transactions. A first batch that begins before the position loses what is before it when it is decoded.
 */
export function readableBatches(
  fetched: FetchedPartition,
  position: number,
  isolation: IsolationLevel,
): ReadableBatches {
  const aborted =
    isolation === 'read-committed' && fetched.abortedTransactions.length > 0 ? new AbortedProducers(fetched) : null
  const batches: RecordBatch[] = []
  let nextOffset = position
  for (const batch of fetched.batches) {
    const visible = aborted === null || aborted.allows(batch)
    if (visible && batch.control === 'none' && batch.lastOffset >= position) {
      batches.push(batch.baseOffset >= position ? batch : new BatchFrom(batch, position))
    }
    if (batch.lastOffset >= nextOffset) nextOffset = batch.lastOffset + 1
  }
  return { batches, nextOffset }
}

/**
 * What a reader is told of an answer. Field by field: made by spreading one object into another, each kept what it named from
 * the collector of young garbage.
 */
export function fetchedRecords(
  { topic, partition, highWatermark, lastStableOffset, sizeBytes }: FetchedPartition,
  epoch: number,
  batches: readonly RecordBatch[],
  nextOffset: number,
): FetchedRecords {
  return { topic, partition, epoch, highWatermark, lastStableOffset, sizeBytes, batches, nextOffset }
}

/** The records of a batch at or after a position. */
class BatchFrom implements RecordBatch {
  readonly #batch: FetchedBatch
  readonly #position: number

  constructor(batch: FetchedBatch, position: number) {
    this.#batch = batch
    this.#position = position
  }

  get count(): number {
    return this.#batch.count
  }

  decode(): readonly ReceivedRecord[] {
    const records = this.#batch.decode()
    const first = records.findIndex(({ offset }) => offset >= this.#position)
    return first === -1 ? [] : records.slice(first)
  }

  inParts(): NextRecords {
    const next = this.#batch.inParts?.()
    if (next === undefined) return allAtOnce(this)
    return (most) => {
      for (;;) {
        const records = next(most)
        if (records.length === 0) return records
        const first = records.findIndex(({ offset }) => offset >= this.#position)
        if (first >= 0) return first === 0 ? records : records.slice(first)
      }
    }
  }
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
