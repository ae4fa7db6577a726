import type { ProduceBatch } from '../connection/requests/produce.js'
import type { OutgoingRecords } from '../message/record.js'
import { compressionBits, type CodecRegistry } from './compression.js'
import { crc32c } from './crc32c/crc32c.js'
import { GrowingRecords } from './growing-records.js'
import { attributeBits, layout, LENGTH_COUNTS_FROM, MAGIC } from './record-batch-layout.js'
import { WireError } from './wire-error.js'

/** A batch's bytes, in parts to be written one after the other: in one piece, or its header and its records. */
export type EncodedBatch = readonly Buffer[]

/** For records that came as objects. */
const grownByRecords = new WeakMap<OutgoingRecords, GrowingRecords>()

/** The same bytes for the same batch, so that a retry costs nothing. */
export function encodeRecordBatch(batch: ProduceBatch, codecs: CodecRegistry): EncodedBatch | Promise<EncodedBatch> {
  const records = grown(batch.records)
  if (records.encoded?.batch === batch) return records.encoded.parts
  if (batch.compression === 'none') return plain(batch, records)
  return records.packed === null ? pack(batch, records, codecs) : inTwo(batch, records, records.packed)
}

function grown(records: OutgoingRecords): GrowingRecords {
  if (records.count === 0) throw new WireError('empty-batch', 'a record batch needs at least one record')
  if (records instanceof GrowingRecords) return records
  let made = grownByRecords.get(records)
  if (made === undefined) grownByRecords.set(records, (made = GrowingRecords.of(records.decode())))
  return made
}

async function pack(batch: ProduceBatch, records: GrowingRecords, codecs: CodecRegistry): Promise<EncodedBatch> {
  if (batch.compression === 'none') throw new WireError('no-codec', 'nothing to compress with')
  const packed = await codecs(batch.compression).compress(records.bytes)
  records.keepPacked(packed)
  return inTwo(batch, records, packed)
}

function plain(batch: ProduceBatch, records: GrowingRecords): EncodedBatch {
  const whole = records.takeWhole()
  if (whole === null) return inTwo(batch, records, records.bytes)
  writeHeader(whole, batch, records, whole.length)
  whole.writeUInt32BE(crc32c(whole, layout.attributes), layout.crc)
  return keep(batch, records, [whole])
}

function inTwo(batch: ProduceBatch, records: GrowingRecords, body: Buffer): EncodedBatch {
  const header = Buffer.allocUnsafe(layout.records)
  writeHeader(header, batch, records, header.length + body.length)
  const ofHeader = crc32c(header, layout.attributes)
  header.writeUInt32BE(crc32c(body, 0, body.length, ofHeader), layout.crc)
  return keep(batch, records, [header, body])
}

function keep(batch: ProduceBatch, records: GrowingRecords, parts: EncodedBatch): EncodedBatch {
  records.encoded = { batch, parts }
  return parts
}

/** All but the checksum. */
function writeHeader(bytes: Buffer, batch: ProduceBatch, records: GrowingRecords, batchBytes: number): void {
  const { count, firstTimestamp, maxTimestamp } = records
  writeInt64(bytes, layout.baseOffset, 0)
  bytes.writeInt32BE(batchBytes - LENGTH_COUNTS_FROM, layout.batchLength)
  bytes.writeInt32BE(-1, layout.partitionLeaderEpoch)
  bytes[layout.magic] = MAGIC
  const transactional = batch.isTransactional ? attributeBits.transactional : 0
  bytes.writeInt16BE(compressionBits(batch.compression) | transactional, layout.attributes)
  bytes.writeInt32BE(count - 1, layout.lastOffsetDelta)
  writeInt64(bytes, layout.baseTimestamp, firstTimestamp)
  writeInt64(bytes, layout.maxTimestamp, maxTimestamp)
  writeInt64(bytes, layout.producerId, batch.producerId)
  bytes.writeInt16BE(batch.producerEpoch, layout.producerEpoch)
  bytes.writeInt32BE(batch.baseSequence, layout.baseSequence)
  bytes.writeInt32BE(count, layout.recordCount)
}

function writeInt64(bytes: Buffer, at: number, value: number): void {
  bytes.writeInt32BE(Math.floor(value / 4_294_967_296), at)
  bytes.writeUInt32BE(value >>> 0, at + 4)
}
