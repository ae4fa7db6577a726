import type { FetchedBatch } from '../connection/requests/fetch.js'
import { noHeaders, type Header, type ReceivedRecord } from '../message/record.js'
import { compressionOf, type CodecRegistry } from './compression.js'
import { crc32c } from './crc32c.js'
import { readInt64 } from './reader.js'
import { attributeBits, layout, LENGTH_COUNTS_FROM, MAGIC } from './record-batch-layout.js'
import { malformed } from './wire-error.js'

export interface DecodedBatches {
  readonly batches: readonly FetchedBatch[]
  /** Why reading stopped before the end; `batches` holds what was good before. */
  readonly corrupt: string | null
}

const nothing: DecodedBatches = { batches: [], corrupt: null }

/**
 * Reads the record batches of one partition's part of a fetch answer: headers and checksums here, the records when a
 * batch is asked for them. A last batch that is cut off is left out, as the protocol allows. What cannot be read ends
 * the list with a text in `corrupt`, or makes `decode` throw a `WireError`; no wrong record is ever returned. The answer
 * is a promise only if a batch is compressed with a codec that works asynchronously.
 */
export function decodeRecordBatches(
  bytes: Buffer | null,
  codecs: CodecRegistry,
): DecodedBatches | Promise<DecodedBatches> {
  if (bytes === null || bytes.length === 0) return nothing
  return continueAt(bytes, 0, [], codecs)
}

function continueAt(
  bytes: Buffer,
  start: number,
  batches: FetchedBatch[],
  codecs: CodecRegistry,
): DecodedBatches | Promise<DecodedBatches> {
  let at = start
  try {
    while (bytes.length - at >= LENGTH_COUNTS_FROM) {
      const end = at + LENGTH_COUNTS_FROM + bytes.readInt32BE(at + layout.batchLength)
      checkMagic(bytes, at)
      if (end < at + layout.records) throw malformed(`a batch of ${end - at} bytes is shorter than its header`)
      if (end > bytes.length) {
        // A broker leaves a first batch whole, so a first batch that is not whole has a wrong length.
        if (batches.length === 0) throw malformed(`the batch claims ${end - at} bytes, ${bytes.length - at} are there`)
        break
      }
      const header = readHeader(bytes, at, end)
      checkOrder(header, batches.at(-1))
      const unpacked = unpack(bytes.subarray(at + layout.records, end), header, codecs)
      if (!Buffer.isBuffer(unpacked)) return later(unpacked, header, bytes, end, batches, codecs)
      batches.push(batchOf(unpacked, header))
      at = end
    }
    return { batches, corrupt: null }
  } catch (error) {
    return { batches, corrupt: (error as Error).message }
  }
}

async function later(
  unpacking: Promise<Buffer>,
  header: BatchHeader,
  bytes: Buffer,
  end: number,
  batches: FetchedBatch[],
  codecs: CodecRegistry,
): Promise<DecodedBatches> {
  try {
    batches.push(batchOf(await unpacking, header))
  } catch (error) {
    return { batches, corrupt: `the batch at offset ${header.baseOffset}: ${(error as Error).message}` }
  }
  return continueAt(bytes, end, batches, codecs)
}

interface BatchHeader {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly attributes: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly recordCount: number
}

function checkMagic(bytes: Buffer, at: number): void {
  if (bytes.length - at <= layout.magic) return
  const magic = bytes[at + layout.magic]!
  if (magic === MAGIC) return
  throw malformed(
    magic < MAGIC
      ? `old message format ${magic}: written before Kafka 0.11; only record batch format 2 is read`
      : `unknown record batch format ${magic}`,
  )
}

function readHeader(bytes: Buffer, at: number, end: number): BatchHeader {
  const baseOffset = readInt64(bytes, at + layout.baseOffset)
  const stored = bytes.readUInt32BE(at + layout.crc)
  const computed = crc32c(bytes, at + layout.attributes, end)
  if (stored !== computed) {
    throw malformed(`the batch at offset ${baseOffset} has CRC-32C ${computed}, but says ${stored}`)
  }
  const lastOffsetDelta = bytes.readInt32BE(at + layout.lastOffsetDelta)
  const recordCount = bytes.readInt32BE(at + layout.recordCount)
  if (baseOffset < 0 || lastOffsetDelta < 0 || recordCount < 0) {
    throw malformed(`the batch at offset ${baseOffset} has ${recordCount} records up to ${lastOffsetDelta} after it`)
  }
  return {
    baseOffset,
    lastOffset: baseOffset + lastOffsetDelta,
    leaderEpoch: bytes.readInt32BE(at + layout.partitionLeaderEpoch),
    attributes: bytes.readInt16BE(at + layout.attributes),
    baseTimestamp: readInt64(bytes, at + layout.baseTimestamp),
    maxTimestamp: readInt64(bytes, at + layout.maxTimestamp),
    producerId: readInt64(bytes, at + layout.producerId),
    recordCount,
  }
}

function checkOrder(header: BatchHeader, before: FetchedBatch | undefined): void {
  if (before !== undefined && header.baseOffset <= before.lastOffset) {
    throw malformed(`the batch at offset ${header.baseOffset} follows one that ends at ${before.lastOffset}`)
  }
}

function unpack(packed: Buffer, header: BatchHeader, codecs: CodecRegistry): Buffer | Promise<Buffer> {
  const compression = compressionOf(header.attributes)
  if (compression === undefined) throw malformed(`unknown compression ${header.attributes & 7}`)
  return compression === 'none' ? packed : codecs(compression).decompress(packed)
}

function batchOf(records: Buffer, header: BatchHeader): FetchedBatch {
  if (header.recordCount * MIN_RECORD_BYTES > records.length) {
    throw malformed(
      `the batch at offset ${header.baseOffset} claims ${header.recordCount} records in ${records.length} bytes`,
    )
  }
  const isControl = (header.attributes & attributeBits.control) !== 0
  return new EncodedBatch(header, isControl ? controlType(records, header) : 'none', records)
}

/** A batch whose checksum was right. Its records are made when somebody wants them, and not kept. */
class EncodedBatch implements FetchedBatch {
  readonly control: FetchedBatch['control']
  readonly #header: BatchHeader
  readonly #records: Buffer

  constructor(header: BatchHeader, control: FetchedBatch['control'], records: Buffer) {
    this.#header = header
    this.control = control
    this.#records = records
  }

  get baseOffset(): number {
    return this.#header.baseOffset
  }

  get lastOffset(): number {
    return this.#header.lastOffset
  }

  get leaderEpoch(): number {
    return this.#header.leaderEpoch
  }

  get producerId(): number {
    return this.#header.producerId
  }

  get isTransactional(): boolean {
    return (this.#header.attributes & attributeBits.transactional) !== 0
  }

  get count(): number {
    return this.control === 'none' ? this.#header.recordCount : 0
  }

  decode(): ReceivedRecord[] {
    return this.control === 'none' ? new RecordReader(this.#records, this.#header).all() : []
  }
}

/** A control record's key is a version and a type. */
function controlType(records: Buffer, header: BatchHeader): FetchedBatch['control'] {
  const key = new RecordReader(records, header).all()[0]?.key
  if (key === undefined || key === null || key.length < 4) return 'other'
  const type = key.readInt16BE(2)
  return type === 0 ? 'abort' : type === 1 ? 'commit' : 'other'
}

/** Length, attributes, two deltas, two lengths and a count take a byte each. */
const MIN_RECORD_BYTES = 7

/** Reads the records of one batch; a class so that the position needs no object per varint. */
class RecordReader {
  #at = 0
  readonly #bytes: Buffer
  readonly #header: BatchHeader

  constructor(bytes: Buffer, header: BatchHeader) {
    this.#bytes = bytes
    this.#header = header
  }

  all(): ReceivedRecord[] {
    const { recordCount, baseOffset, lastOffset } = this.#header
    const records: ReceivedRecord[] = []
    let previous = baseOffset - 1
    for (let index = 0; index < recordCount; index++) {
      const record = this.#record()
      if (record.offset <= previous || record.offset > lastOffset) {
        throw malformed(`the batch at offset ${baseOffset} has offset ${record.offset} after ${previous}`)
      }
      previous = record.offset
      records.push(record)
    }
    if (this.#at !== this.#bytes.length) {
      throw malformed(`the batch at offset ${baseOffset} has ${this.#bytes.length - this.#at} bytes after its records`)
    }
    return records
  }

  #record(): ReceivedRecord {
    const { attributes, baseOffset, baseTimestamp, maxTimestamp } = this.#header
    const length = this.#varint()
    const end = this.#at + length
    if (length < 0 || end > this.#bytes.length) throw malformed(`a record of ${length} bytes goes past its batch`)
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
      headers.push([this.#bytes.toString('utf8', start, start + length), this.#copy()])
    }
    return headers
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
    const copy = Buffer.allocUnsafe(length)
    this.#bytes.copy(copy, 0, this.#at - length, this.#at)
    return copy
  }

  /** Passes a field; -1 is none. */
  #fieldLength(): number {
    const length = this.#varint()
    if (length === -1) return -1
    if (length < 0) throw malformed(`a field has the length ${length}`)
    const end = this.#at + length
    if (end > this.#bytes.length) throw malformed(`a field of ${length} bytes goes past its batch`)
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
