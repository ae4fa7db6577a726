import type { FetchedBatch } from '../connection/requests/fetch.js'
import type { NextRecords, ReceivedRecord } from '../message/record.js'
import { readInt64 } from './reader.js'
import { layout, LENGTH_COUNTS_FROM } from './record-batch-layout.js'
import { RecordReader, type RecordsHeader } from './record-reader.js'

export interface BatchHeader extends RecordsHeader {
  readonly leaderEpoch: number
  readonly producerId: number
}

/** The header of the batch that begins at `at`, as it stands there. */
export function readFields(bytes: Buffer, at: number): BatchHeader {
  const baseOffset = readInt64(bytes, at + layout.baseOffset)
  return {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(at + layout.lastOffsetDelta),
    leaderEpoch: bytes.readInt32BE(at + layout.partitionLeaderEpoch),
    attributes: bytes.readInt16BE(at + layout.attributes),
    baseTimestamp: readInt64(bytes, at + layout.baseTimestamp),
    maxTimestamp: readInt64(bytes, at + layout.maxTimestamp),
    producerId: readInt64(bytes, at + layout.producerId),
    recordCount: bytes.readInt32BE(at + layout.recordCount),
  }
}

/**
 * Batches in a row that one leader wrote, not compressed and of no transaction, whose checksums were right. What reads them
 * sees one batch: they stay bytes, and cost no object each. Whose they are is told of the first alone, since that matters
 * only in transactions.
 */
export class PlainBatches implements FetchedBatch {
  readonly baseOffset: number
  readonly leaderEpoch: number
  readonly producerId: number
  readonly isTransactional = false
  readonly control = 'none'
  readonly #bytes: Buffer
  readonly #start: number
  #end: number
  #lastOffset: number
  #count: number

  constructor(header: BatchHeader, bytes: Buffer, start: number, end: number) {
    this.baseOffset = header.baseOffset
    this.leaderEpoch = header.leaderEpoch
    this.producerId = header.producerId
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#lastOffset = header.lastOffset
    this.#count = header.recordCount
  }

  get lastOffset(): number {
    return this.#lastOffset
  }

  get count(): number {
    return this.#count
  }

  mayTake({ leaderEpoch }: BatchHeader): boolean {
    return leaderEpoch === this.leaderEpoch
  }

  /** The batch that follows, up to `end`. */
  take({ lastOffset, recordCount }: BatchHeader, end: number): void {
    this.#end = end
    this.#lastOffset = lastOffset
    this.#count += recordCount
  }

  decode(): ReceivedRecord[] {
    const records: ReceivedRecord[] = []
    for (let at = this.#start; at < this.#end; at = this.#endOf(at)) records.push(...this.#readerAt(at).all())
    return records
  }

  inParts(): NextRecords {
    let at = this.#start
    let reader: RecordReader | null = null
    return (most) => {
      const records: ReceivedRecord[] = []
      while (at < this.#end && records.length < most) {
        reader ??= this.#readerAt(at)
        try {
          reader.readInto(records, most - records.length)
        } catch (error) {
          // What was good before is given first; the next call meets the bad one again.
          if (records.length === 0) throw error
          break
        }
        if (!reader.isDone) break
        at = this.#endOf(at)
        reader = null
      }
      return records
    }
  }

  #endOf(at: number): number {
    return at + LENGTH_COUNTS_FROM + this.#bytes.readInt32BE(at + layout.batchLength)
  }

  #readerAt(at: number): RecordReader {
    return new RecordReader(this.#bytes, readFields(this.#bytes, at), at + layout.records, this.#endOf(at))
  }
}
