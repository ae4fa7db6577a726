import type { OutgoingRecord, OutgoingRecords, ReceivedRecord } from '../message/record.js'
import { attributeBits, layout } from './record-batch-layout.js'
import { RecordReader } from './record-reader.js'
import { varintBytes, writeVarint } from './varint.js'
import { WireError } from './wire-error.js'

/** Keeps differences and their zigzag form exact in a number; a Date ends at 2^52.9, Kafka's own tools long before. */
const MAX_TIMESTAMP = 2 ** 51
/** Five varints of at most five bytes, a timestamp delta of at most ten and the attributes, besides what the record holds. */
const RECORD_OVERHEAD_BYTES = 5 * 5 + 10 + 1
const HEADER_OVERHEAD_BYTES = 10

/** At most so many bytes does a record take in a batch. */
export function recordBound({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES
  if (key !== null) bytes += key.length
  if (value !== null) bytes += value.length
  for (let index = 0; index < headers.length; index += 1) {
    const [name, content] = headers[index]!
    bytes += HEADER_OVERHEAD_BYTES + Buffer.byteLength(name) + (content === null ? 0 : content.length)
  }
  return bytes
}

/**
 * The records of one batch, in the format in which they are stored. Each is written into the batch's own buffer as it is
 * added, so nothing that was given is looked at again, and a request takes the bytes as they are. Before them there is room
 * for the header of their batch, so that both are one piece with one checksum: of small batches most of the cost is pieces.
 */
export class GrowingRecords implements OutgoingRecords {
  /**
   * What the encoder made of them, so that a retry sends the very same bytes at no cost. Here and not in a weak map: that
   * would keep the buffers of finished batches until the next collection of old objects.
   */
  encoded: { readonly batch: object; readonly parts: readonly Buffer[] } | null = null
  /** Compressed, in memory beside them. */
  packed: Buffer | null = null
  /** Told the size of `packed` once. */
  onPacked: ((bytes: number) => void) | null = null
  #buffer: Buffer
  #isWholeTaken = false
  /** Of the last record that had headers, and where they stand here: those of one trace follow each other, in the same array. */
  #headers: OutgoingRecord['headers'] | null = null
  #headersAt = 0
  #headersBytes = 0
  #end: number = layout.records
  #count = 0
  #firstTimestamp = 0
  #maxTimestamp = 0

  /** @param roomBytes what it will probably hold: it grows when that was too little. */
  constructor(roomBytes: number) {
    this.#buffer = Buffer.allocUnsafe(layout.records + roomBytes)
  }

  static of(records: readonly OutgoingRecord[]): GrowingRecords {
    const grown = new GrowingRecords(records.reduce((bytes, record) => bytes + recordBound(record), 0))
    for (const record of records) grown.add(record)
    return grown
  }

  get count(): number {
    return this.#count
  }

  get firstTimestamp(): number {
    return this.#firstTimestamp
  }

  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  get sizeBytes(): number {
    return this.#end - layout.records
  }

  /** What was written until now. */
  get bytes(): Buffer {
    return this.#buffer.subarray(layout.records, this.#end)
  }

  /**
   * The same with the room for a header before them, for one header alone: a socket may still hold the bytes when another
   * is to be written. `null` from the second time on.
   */
  takeWhole(): Buffer | null {
    if (this.#isWholeTaken) return null
    this.#isWholeTaken = true
    return this.#buffer.subarray(0, this.#end)
  }

  /** One that cannot be written leaves the others as they were. */
  add(record: OutgoingRecord): void {
    const { key, value, headers, timestamp } = record
    if (!Number.isInteger(timestamp) || timestamp < -1 || timestamp > MAX_TIMESTAMP) {
      throw new WireError(
        'bad-timestamp',
        `expected a timestamp in whole milliseconds from -1 to 2^51, got ${timestamp}`,
      )
    }
    const index = this.#count
    const timestampDelta = index === 0 ? 0 : timestamp - this.#firstTimestamp
    const keyLength = key === null ? -1 : key.length
    const valueLength = value === null ? -1 : value.length
    const isRepeat = headers === this.#headers
    const ofHeaders = headers.length === 0 ? 0 : isRepeat ? this.#headersBytes : headersBytes(headers)
    const bodyBytes =
      1 +
      varintBytes(timestampDelta) +
      varintBytes(index) +
      varintBytes(keyLength) +
      Math.max(0, keyLength) +
      varintBytes(valueLength) +
      Math.max(0, valueLength) +
      varintBytes(headers.length) +
      ofHeaders
    // As long as they are now, whatever was said of them before: a buffer may grow with its memory.
    const end = this.#end + varintBytes(bodyBytes) + bodyBytes
    if (end > this.#buffer.length) this.#grow(end)
    const target = this.#buffer
    let at = writeVarint(target, this.#end, bodyBytes)
    target[at++] = 0
    at = writeVarint(target, at, timestampDelta)
    at = writeVarint(target, at, index)
    at = writeVarint(target, at, keyLength)
    if (key !== null) at = put(target, at, key)
    at = writeVarint(target, at, valueLength)
    if (value !== null) at = put(target, at, value)
    at = writeVarint(target, at, headers.length)
    const headersAt = at
    if (isRepeat) {
      target.copyWithin(at, this.#headersAt, this.#headersAt + ofHeaders)
      at += ofHeaders
    } else if (ofHeaders > 0) at = writeHeaders(target, at, headers)
    if (at !== end) throw new WireError('defect', `a record of ${end - this.#end} bytes took ${at - this.#end}`)
    if (index === 0) this.#firstTimestamp = this.#maxTimestamp = timestamp
    else if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    if (ofHeaders > 0) {
      this.#headers = headers
      this.#headersAt = headersAt
      this.#headersBytes = ofHeaders
    }
    this.#end = end
    this.#count = index + 1
  }

  keepPacked(packed: Buffer): void {
    if (this.packed === null) this.onPacked?.(packed.length)
    this.packed = packed
  }

  /** Read back, anew at every call; keys and values are views. */
  decode(): readonly OutgoingRecord[] {
    return this.received(0, null)
  }

  /** As a log gives them from `baseOffset` on; `appendTime` replaces their timestamps. */
  received(baseOffset: number, appendTime: number | null): readonly ReceivedRecord[] {
    return new RecordReader(this.bytes, {
      baseOffset,
      lastOffset: baseOffset + this.#count - 1,
      attributes: appendTime === null ? 0 : attributeBits.logAppendTime,
      baseTimestamp: this.#firstTimestamp,
      maxTimestamp: appendTime ?? this.#maxTimestamp,
      recordCount: this.#count,
    }).all()
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length))
    larger.set(this.bytes, layout.records)
    this.#buffer = larger
  }
}

function headersBytes(headers: OutgoingRecord['headers']): number {
  let bytes = 0
  for (const [name, value] of headers) {
    const nameBytes = Buffer.byteLength(name)
    bytes += varintBytes(nameBytes) + nameBytes + varintBytes(value === null ? -1 : value.length) + (value?.length ?? 0)
  }
  return bytes
}

function writeHeaders(target: Buffer, start: number, headers: OutgoingRecord['headers']): number {
  let at = start
  for (const [name, value] of headers) {
    at = writeVarint(target, at, Buffer.byteLength(name))
    at += target.write(name, at)
    at = writeVarint(target, at, value === null ? -1 : value.length)
    if (value !== null) at = put(target, at, value)
  }
  return at
}

/** Up to this size a loop in place is faster than the call that copies. */
const LOOP_BELOW_BYTES = 24

function put(target: Buffer, start: number, bytes: Buffer): number {
  const { length } = bytes
  if (length < LOOP_BELOW_BYTES) for (let index = 0; index < length; index++) target[start + index] = bytes[index]!
  else target.set(bytes, start)
  return start + length
}
