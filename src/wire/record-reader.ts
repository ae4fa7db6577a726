import { noHeaders, type Header, type ReceivedRecord } from '../message/record.js'
import { attributeBits } from './record-batch-layout.js'
import { malformed } from './wire-error.js'

/** What a batch's header says about the records behind it. */
export interface RecordsHeader {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly attributes: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly recordCount: number
}

/** Up to here, as keys are, copying byte by byte is faster: `Buffer.copy` makes a view for each call. */
const loopedBytes = 64

/** So many headers of a record are compared with those of the one before. */
const comparedNames = 8

interface KnownName {
  readonly start: number
  readonly length: number
  readonly text: string
}

/** Reads the records of one batch; a class so that the position needs no object per varint. */
export class RecordReader {
  #at: number
  readonly #end: number
  readonly #bytes: Buffer
  readonly #header: RecordsHeader
  /** The last name at each place: records of one batch have the same, mostly, and bytes are compared faster than decoded. */
  readonly #names: KnownName[] = []
  #read = 0
  #previous: number

  /** @param start where in `bytes` its records begin */
  constructor(bytes: Buffer, header: RecordsHeader, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#header = header
    this.#previous = header.baseOffset - 1
  }

  all(): ReceivedRecord[] {
    const records: ReceivedRecord[] = []
    this.readInto(records, this.#header.recordCount)
    return records
  }

  /** No record is left. */
  get isDone(): boolean {
    return this.#read >= this.#header.recordCount
  }

  /** Adds the next records, at most so many. Throws at the first that is none, and there again at every further call. */
  readInto(records: ReceivedRecord[], most: number): void {
    const until = Math.min(this.#header.recordCount, this.#read + most)
    while (this.#read < until) {
      const start = this.#at
      try {
        records.push(this.#nextRecord())
      } catch (error) {
        this.#at = start
        throw error
      }
    }
    if (this.isDone) this.#checkEnd()
  }

  #nextRecord(): ReceivedRecord {
    const { baseOffset, lastOffset } = this.#header
    const record = this.#record()
    if (record.offset <= this.#previous || record.offset > lastOffset) {
      throw malformed(`the batch at offset ${baseOffset} has offset ${record.offset} after ${this.#previous}`)
    }
    this.#previous = record.offset
    this.#read += 1
    return record
  }

  #checkEnd(): void {
    if (this.#at === this.#end) return
    const { baseOffset } = this.#header
    throw malformed(`the batch at offset ${baseOffset} has ${this.#end - this.#at} bytes after its records`)
  }

  #record(): ReceivedRecord {
    const { attributes, baseOffset, baseTimestamp, maxTimestamp } = this.#header
    const length = this.#varint()
    const end = this.#at + length
    if (length < 0 || end > this.#end) throw malformed(`a record of ${length} bytes goes past its batch`)
    this.#at += 1
    const timestampDelta = this.#varlong()
    const offset = baseOffset + this.#varint()
    const key = this.#copy()
    const value = this.#field()
    const headerCount = this.#varint()
    const headers = headerCount === 0 ? noHeaders : this.#headers(headerCount, end)
    if (this.#at !== end) throw malformed(`the record at offset ${offset} is not as long as it says`)
    const timestamp = (attributes & attributeBits.logAppendTime) !== 0 ? maxTimestamp : baseTimestamp + timestampDelta
    return { offset, timestamp, key, value, headers }
  }

  #headers(count: number, end: number): Header[] {
    if (count < 0 || count * 2 > end - this.#at) throw malformed(`a record claims ${count} headers`)
    const headers: Header[] = []
    for (let index = 0; index < count; index++) {
      const length = this.#varint()
      const start = this.#at
      if (length < 0 || length > end - start) throw malformed(`a header name of ${length} bytes goes past its record`)
      this.#at = start + length
      headers.push([this.#headerName(index, start, length), this.#copy()])
    }
    return headers
  }

  #headerName(place: number, start: number, length: number): string {
    const known = this.#names[place]
    if (known?.length === length && this.#areEqual(known.start, start, length)) return known.text
    const text = this.#bytes.toString('utf8', start, start + length)
    if (place < comparedNames) this.#names[place] = { start, length, text }
    return text
  }

  #areEqual(one: number, other: number, length: number): boolean {
    const bytes = this.#bytes
    for (let index = 0; index < length; index++) if (bytes[one + index] !== bytes[other + index]) return false
    return true
  }

  /** A view, not a copy. */
  #field(): Buffer | null {
    const length = this.#fieldLength()
    return length === -1 ? null : this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** Whoever keeps a key or a header keeps nothing else in memory. */
  #copy(): Buffer | null {
    const length = this.#fieldLength()
    if (length === -1) return null
    const bytes = this.#bytes
    const start = this.#at - length
    const copy = Buffer.allocUnsafe(length)
    if (length > loopedBytes) bytes.copy(copy, 0, start, this.#at)
    else for (let index = 0; index < length; index++) copy[index] = bytes[start + index]!
    return copy
  }

  /** Passes a field; -1 is none. */
  #fieldLength(): number {
    const length = this.#varint()
    if (length === -1) return -1
    if (length < 0) throw malformed(`a field has the length ${length}`)
    const end = this.#at + length
    if (end > this.#end) throw malformed(`a field of ${length} bytes goes past its batch`)
    this.#at = end
    return length
  }

  #varint(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#at++]
    if (byte === undefined) throw malformed('a record ends inside a number')
    let raw = byte & 127
    for (let shift = 7; byte >= 128; shift += 7) {
      byte = bytes[this.#at++]
      if (byte === undefined || shift > 28) throw malformed('a record holds a number that does not end')
      raw |= (byte & 127) << shift
    }
    return (raw >>> 1) ^ -(raw & 1)
  }

  #varlong(): number {
    const start = this.#at
    const bytes = this.#bytes
    let byte = bytes[this.#at++]
    if (byte === undefined) throw malformed('a record ends inside a number')
    let raw = byte & 127
    for (let scale = 128; byte >= 128; scale *= 128) {
      byte = bytes[this.#at++]
      if (byte === undefined || this.#at - start > 8) throw malformed('a timestamp lies too far from its batch')
      raw += (byte & 127) * scale
    }
    if (raw > Number.MAX_SAFE_INTEGER) throw malformed('a timestamp lies too far from its batch')
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }
}
