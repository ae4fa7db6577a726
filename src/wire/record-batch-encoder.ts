import type { ProduceBatch } from '../connection/requests/produce.js'
import type { OutgoingRecord } from '../message/record.js'
import { compressionBits, type CodecRegistry } from './compression.js'
import { crc32c } from './crc32c.js'
import { attributeBits, layout, LENGTH_COUNTS_FROM, MAGIC } from './record-batch-layout.js'
import { WireError } from './wire-error.js'

const encodedByBatch = new WeakMap<ProduceBatch, Buffer>()

/** A batch's bytes. Kept beside the batch object, so a retry sends the very same bytes at no cost. */
export function encodeRecordBatch(batch: ProduceBatch, codecs: CodecRegistry): Buffer | Promise<Buffer> {
  const known = encodedByBatch.get(batch)
  if (known !== undefined) return known
  if (batch.compression === 'none') return remember(batch, encodeUncompressed(batch))
  return encodeCompressed(batch, codecs)
}

function remember(batch: ProduceBatch, bytes: Buffer): Buffer {
  encodedByBatch.set(batch, bytes)
  return bytes
}

function encodeUncompressed(batch: ProduceBatch): Buffer {
  const span = timeSpan(batch.records)
  const room = Buffer.allocUnsafe(layout.records + upperBound(batch.records))
  const end = writeRecords(room, layout.records, batch.records, span.first)
  const bytes = room.subarray(0, end)
  writeHeader(bytes, batch, span)
  return bytes
}

async function encodeCompressed(batch: ProduceBatch, codecs: CodecRegistry): Promise<Buffer> {
  if (batch.compression === 'none') throw new WireError('no-codec', 'nothing to compress with')
  const codec = codecs(batch.compression)
  const span = timeSpan(batch.records)
  const room = Buffer.allocUnsafe(upperBound(batch.records))
  const end = writeRecords(room, 0, batch.records, span.first)
  const packed = await codec.compress(room.subarray(0, end))
  const bytes = Buffer.allocUnsafe(layout.records + packed.length)
  bytes.set(packed, layout.records)
  writeHeader(bytes, batch, span)
  return remember(batch, bytes)
}

/** Keeps differences and their zigzag form exact in a number; a Date ends at 2^52.9, Kafka's own tools long before. */
const MAX_TIMESTAMP = 2 ** 51

interface TimeSpan {
  readonly first: number
  readonly max: number
}

function timeSpan(records: readonly OutgoingRecord[]): TimeSpan {
  if (records.length === 0) throw new WireError('empty-batch', 'a record batch needs at least one record')
  const first = records[0]!.timestamp
  let max = first
  for (const { timestamp } of records) {
    if (!Number.isInteger(timestamp) || timestamp < -1 || timestamp > MAX_TIMESTAMP) {
      throw new WireError(
        'bad-timestamp',
        `expected a timestamp in whole milliseconds from -1 to 2^51, got ${timestamp}`,
      )
    }
    if (timestamp > max) max = timestamp
  }
  return { first, max }
}

function writeHeader(bytes: Buffer, batch: ProduceBatch, span: TimeSpan): void {
  const count = batch.records.length
  writeInt64(bytes, layout.baseOffset, 0)
  bytes.writeInt32BE(bytes.length - LENGTH_COUNTS_FROM, layout.batchLength)
  bytes.writeInt32BE(-1, layout.partitionLeaderEpoch)
  bytes[layout.magic] = MAGIC
  const transactional = batch.isTransactional ? attributeBits.transactional : 0
  bytes.writeInt16BE(compressionBits(batch.compression) | transactional, layout.attributes)
  bytes.writeInt32BE(count - 1, layout.lastOffsetDelta)
  writeInt64(bytes, layout.baseTimestamp, span.first)
  writeInt64(bytes, layout.maxTimestamp, span.max)
  writeInt64(bytes, layout.producerId, batch.producerId)
  bytes.writeInt16BE(batch.producerEpoch, layout.producerEpoch)
  bytes.writeInt32BE(batch.baseSequence, layout.baseSequence)
  bytes.writeInt32BE(count, layout.recordCount)
  bytes.writeUInt32BE(crc32c(bytes, layout.attributes), layout.crc)
}

function writeInt64(bytes: Buffer, at: number, value: number): void {
  bytes.writeInt32BE(Math.floor(value / 4_294_967_296), at)
  bytes.writeUInt32BE(value >>> 0, at + 4)
}

/** Five varints of at most five bytes, a timestamp delta of at most ten and the attributes, besides what the record holds. */
const RECORD_OVERHEAD_BYTES = 5 * 5 + 10 + 1

function upperBound(records: readonly OutgoingRecord[]): number {
  let bytes = 0
  for (const record of records) {
    bytes += RECORD_OVERHEAD_BYTES
    if (record.key !== null) bytes += record.key.length
    if (record.value !== null) bytes += record.value.length
    for (const [name, value] of record.headers) bytes += 10 + 3 * name.length + (value === null ? 0 : value.length)
  }
  return bytes
}

function writeRecords(
  target: Buffer,
  start: number,
  records: readonly OutgoingRecord[],
  baseTimestamp: number,
): number {
  let at = start
  for (let index = 0; index < records.length; index++) {
    const { key, value, headers, timestamp } = records[index]!
    const timestampDelta = timestamp - baseTimestamp
    const keyLength = key === null ? -1 : key.length
    const valueLength = value === null ? -1 : value.length
    const bodyBytes =
      1 +
      varintBytes(timestampDelta) +
      varintBytes(index) +
      varintBytes(keyLength) +
      Math.max(0, keyLength) +
      varintBytes(valueLength) +
      Math.max(0, valueLength) +
      varintBytes(headers.length) +
      (headers.length === 0 ? 0 : headersBytes(headers))
    at = writeVarint(target, at, bodyBytes)
    target[at++] = 0
    at = writeVarint(target, at, timestampDelta)
    at = writeVarint(target, at, index)
    at = writeVarint(target, at, keyLength)
    if (key !== null) at = put(target, at, key)
    at = writeVarint(target, at, valueLength)
    if (value !== null) at = put(target, at, value)
    at = writeVarint(target, at, headers.length)
    if (headers.length > 0) at = writeHeaders(target, at, headers)
  }
  return at
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

/** Zigzag fits 32 bits: the signed value is in [-2^30, 2^30). */
function isShort(value: number): boolean {
  return value >= -1_073_741_824 && value < 1_073_741_824
}

function varintBytes(value: number): number {
  if (value >= -64 && value < 64) return 1
  if (value >= -8_192 && value < 8_192) return 2
  if (value >= -1_048_576 && value < 1_048_576) return 3
  let rest = zigzagLong(value)
  let bytes = 1
  while (rest >= 128) {
    rest = Math.floor(rest / 128)
    bytes++
  }
  return bytes
}

function writeVarint(target: Buffer, start: number, value: number): number {
  let at = start
  if (isShort(value)) {
    let rest = (value << 1) ^ (value >> 31)
    while (rest > 127) {
      target[at++] = (rest & 127) | 128
      rest >>>= 7
    }
    target[at++] = rest
    return at
  }
  let rest = zigzagLong(value)
  while (rest >= 128) {
    target[at++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  target[at++] = rest
  return at
}

/** Exact while the value is within 2^52. */
function zigzagLong(value: number): number {
  return value >= 0 ? value * 2 : -value * 2 - 1
}
