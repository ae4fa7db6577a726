import type { FetchedRecords } from '../../driver/consumer.js'
import { allAtOnce, type Header, type NextRecords, type ReceivedRecord } from '../../message/record.js'

const none: readonly ReceivedRecord[] = Object.freeze([])

/** Records made in one go: enough to spread the cost, few enough to die young, also where a thousand partitions take turns. */
const madeAtOnce = 32

/** An answer in line. */
interface Fetched {
  readonly answer: FetchedRecords
  /** At most so many records. */
  readonly count: number
  /** Of each of them, on average. */
  readonly recordBytes: number
}

/**
 * What of one partition was fetched and is not taken up yet, answer by answer. It waits as bytes: handlers that are
 * slower than the broker then cost the garbage collector a few buffers, not a hundred thousand objects.
 */
export class Backlog {
  readonly #waiting: Fetched[] = []
  #count = 0
  #sizeBytes = 0
  /** The place in the first answer: the batch that is being taken up, and what is left of the records made of it. */
  #batch = 0
  #nextRecords: NextRecords | null = null
  #records = none
  #nextRecord = 0
  #taken = 0
  /** Of what the batches of the first answer have claimed, how much was made records, or turned out not to be there. */
  #unpacked = 0
  /** The same, up to the batch that is being taken up. */
  #unpackedBefore = 0
  /** Of each record that was made last, on average: unpacked it may be far more than as fetched. */
  #recordBytes = 0

  /** Nothing is left, not even the end of an answer without records. */
  get isEmpty(): boolean {
    return this.#waiting.length === 0
  }

  /** At most so many records wait. */
  get count(): number {
    return this.#count - this.#taken
  }

  get sizeBytes(): number {
    const packed = this.#sizeBytes - this.#unpacked * (this.#waiting[0]?.recordBytes ?? 0)
    return packed + (this.#records.length - this.#nextRecord) * this.#recordBytes
  }

  /** Of the record that was taken last, on average over those beside it, as it stands in memory. */
  get recordBytes(): number {
    return this.#recordBytes
  }

  push(answer: FetchedRecords): void {
    const count = answer.batches.reduce((sum, batch) => sum + batch.count, 0)
    this.#waiting.push({ answer, count, recordBytes: count === 0 ? 0 : Math.floor(answer.sizeBytes / count) })
    this.#count += count
    this.#sizeBytes += answer.sizeBytes
  }

  /** Takes the next record of the first answer; `null` when that has no more. Throws what its batch throws, every time. */
  next(): ReceivedRecord | null {
    if (this.#nextRecord >= this.#records.length && !this.#unpack()) return null
    this.#taken += 1
    return this.#records[this.#nextRecord++] as ReceivedRecord
  }

  /** What `next` would take. */
  peek(): ReceivedRecord | null {
    if (this.#nextRecord >= this.#records.length && !this.#unpack()) return null
    return this.#records[this.#nextRecord] as ReceivedRecord
  }

  /** Lets go of the first answer and tells the next offset after it; `null` when there is none. */
  pass(): number | null {
    const first = this.#waiting.shift()
    if (first === undefined) return null
    this.#count -= first.count
    this.#sizeBytes -= first.answer.sizeBytes
    this.#batch = 0
    this.#nextRecords = null
    this.#records = none
    this.#nextRecord = 0
    this.#taken = 0
    this.#unpacked = 0
    this.#unpackedBefore = 0
    return first.answer.nextOffset
  }

  /** Makes the next records; false when the first answer has no more. */
  #unpack(): boolean {
    for (;;) {
      const batch = this.#waiting[0]?.answer.batches[this.#batch]
      if (batch === undefined) return false
      this.#nextRecords ??= batch.inParts?.() ?? allAtOnce(batch)
      this.#records = this.#nextRecords(madeAtOnce)
      this.#nextRecord = 0
      if (this.#records.length > 0) {
        this.#unpacked += batch.inParts === undefined ? batch.count : this.#records.length
        this.#recordBytes = Math.max(this.#waiting[0]?.recordBytes ?? 0, averageBytes(this.#records))
        return true
      }
      this.#batch += 1
      this.#nextRecords = null
      this.#unpackedBefore += batch.count
      this.#unpacked = this.#unpackedBefore
    }
  }
}

/** A whole number: sums of fractions would each be an object of their own. Runs for every record, so without iterators. */
function averageBytes(records: readonly ReceivedRecord[]): number {
  if (records.length === 0) return 0
  let bytes = 0
  for (const { key, value, headers } of records) {
    bytes += (key === null ? 0 : key.length) + (value === null ? 0 : value.length)
    if (headers.length > 0) bytes += bytesOf(headers)
  }
  return Math.floor(bytes / records.length)
}

function bytesOf(headers: readonly Header[]): number {
  let bytes = 0
  for (const [name, value] of headers) bytes += name.length + (value === null ? 0 : value.length)
  return bytes
}
