import type { FetchedBatch, Unreadable } from '../connection/requests/fetch.js'
import type { NextRecords, ReceivedRecord } from '../message/record.js'
import { compressionOf, type CodecRegistry } from './compression.js'
import { crc32c } from './crc32c/crc32c.js'
import { readInt64 } from './reader.js'
import { attributeBits, layout, LENGTH_COUNTS_FROM, MAGIC } from './record-batch-layout.js'
import { PlainBatches, readFields, type BatchHeader } from './plain-batches.js'
import { RecordReader } from './record-reader.js'
import { malformed, unreadableBy, WireError } from './wire-error.js'

export interface DecodedBatches {
  readonly batches: readonly FetchedBatch[]
  /** Why reading stopped before the end; `batches` holds what was good before. */
  readonly unreadable: Unreadable | null
}

const nothing: DecodedBatches = { batches: [], unreadable: null }

/**
 * Reads the record batches of one partition's part of a fetch answer: headers and checksums here, the records when a
 * batch is asked for them. A last batch that is cut off is left out, as the protocol allows. What cannot be read ends
 * the list with the reason in `unreadable`, or makes `decode` throw a `WireError`; no wrong record is ever returned. The answer
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
      if (isPlain(header)) {
        addPlain(batches, header, bytes, at, end)
        at = end
        continue
      }
      const unpacked = unpack(bytes.subarray(at + layout.records, end), header, codecs)
      if (!Buffer.isBuffer(unpacked)) return later(unpacked, header, bytes, end, batches, codecs)
      batches.push(batchOf(unpacked, header))
      at = end
    }
    return { batches, unreadable: null }
  } catch (error) {
    return { batches, unreadable: unreadableBy(error) }
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
    return { batches, unreadable: unreadableBy(error, `the batch at offset ${header.baseOffset}: `) }
  }
  return continueAt(bytes, end, batches, codecs)
}

function checkMagic(bytes: Buffer, at: number): void {
  if (bytes.length - at <= layout.magic) return
  const magic = bytes[at + layout.magic]!
  if (magic === MAGIC) return
  throw new WireError(
    'unknown-format',
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
  const header = readFields(bytes, at)
  const { lastOffset, recordCount } = header
  if (baseOffset < 0 || lastOffset < baseOffset || recordCount < 0) {
    throw malformed(
      `the batch at offset ${baseOffset} has ${recordCount} records up to ${lastOffset - baseOffset} after it`,
    )
  }
  return header
}

function checkOrder(header: BatchHeader, before: FetchedBatch | undefined): void {
  if (before !== undefined && header.baseOffset <= before.lastOffset) {
    throw malformed(`the batch at offset ${header.baseOffset} follows one that ends at ${before.lastOffset}`)
  }
}

function unpack(packed: Buffer, header: BatchHeader, codecs: CodecRegistry): Buffer | Promise<Buffer> {
  const compression = compressionOf(header.attributes)
  if (compression === undefined) {
    throw new WireError('no-codec', `unknown compression ${header.attributes & 7}`)
  }
  return compression === 'none' ? packed : codecs(compression).decompress(packed)
}

/** Length, attributes, two deltas, two lengths and a count take a byte each. */
const MIN_RECORD_BYTES = 7

function batchOf(records: Buffer, header: BatchHeader): FetchedBatch {
  checkCount(header, records.length)
  const isControl = (header.attributes & attributeBits.control) !== 0
  return new EncodedBatch(header, isControl ? controlType(records, header) : 'none', records)
}

function checkCount({ baseOffset, recordCount }: BatchHeader, recordBytes: number): void {
  if (recordCount * MIN_RECORD_BYTES <= recordBytes) return
  throw malformed(`the batch at offset ${baseOffset} claims ${recordCount} records in ${recordBytes} bytes`)
}

/** Neither compressed, nor of a transaction, nor for brokers alone. */
function isPlain({ attributes }: BatchHeader): boolean {
  const other = attributeBits.compression | attributeBits.transactional | attributeBits.control
  return (attributes & other) === 0
}

/** Small batches in a row stay one object: a topic with a thousand partitions has few records in each of its batches. */
function addPlain(batches: FetchedBatch[], header: BatchHeader, bytes: Buffer, at: number, end: number): void {
  checkCount(header, end - at - layout.records)
  const last = batches.at(-1)
  if (last instanceof PlainBatches && last.mayTake(header)) last.take(header, end)
  else batches.push(new PlainBatches(header, bytes, at, end))
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

  inParts(): NextRecords {
    if (this.control !== 'none') return () => []
    const reader = new RecordReader(this.#records, this.#header)
    return (most) => {
      const records: ReceivedRecord[] = []
      try {
        reader.readInto(records, most)
      } catch (error) {
        // What was good before is given first; the next call meets the bad one again.
        if (records.length === 0) throw error
      }
      return records
    }
  }
}

/** A control record's key is a version and a type. */
function controlType(records: Buffer, header: BatchHeader): FetchedBatch['control'] {
  const key = new RecordReader(records, header).all()[0]?.key
  if (key === undefined || key === null || key.length < 4) return 'other'
  const type = key.readInt16BE(2)
  return type === 0 ? 'abort' : type === 1 ? 'commit' : 'other'
}
