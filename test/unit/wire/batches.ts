import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { FetchedBatch } from '../../../src/connection/requests/fetch.js'
import type { ProduceBatch } from '../../../src/connection/requests/produce.js'
import { allAtOnce, heldRecords, type OutgoingRecord, type ReceivedRecord } from '../../../src/message/record.js'
import { builtInCodecs } from '../../../src/wire/compression.js'
import { decodeRecordBatches } from '../../../src/wire/record-batch-decoder.js'
import { encodeRecordBatch } from '../../../src/wire/record-batch-encoder.js'

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const bytesOrNull = fc.option(bytes, { nil: null })
const header = fc.tuple(fc.string({ unit: 'grapheme', maxLength: 20 }), bytesOrNull)
const timestamp = fc.oneof(fc.integer({ min: -1, max: 4_000_000_000_000 }), fc.constantFrom(-1, 0, 2 ** 51))

export const anyRecord: fc.Arbitrary<OutgoingRecord> = fc.record({
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(header, { maxLength: 4 }),
  timestamp,
})

export const anyBatch: fc.Arbitrary<ProduceBatch> = fc.record({
  topic: fc.constant('orders'),
  partition: fc.nat(50),
  producerId: fc.oneof(fc.constant(-1), fc.maxSafeNat()),
  producerEpoch: fc.integer({ min: -1, max: 32_767 }),
  baseSequence: fc.integer({ min: -1, max: 2_147_483_647 }),
  isTransactional: fc.boolean(),
  compression: fc.constantFrom('none', 'gzip'),
  records: fc.array(anyRecord, { minLength: 1, maxLength: 30 }).map(heldRecords),
})

export function batchOf(records: readonly Partial<OutgoingRecord>[], fields: Partial<ProduceBatch> = {}): ProduceBatch {
  return {
    topic: 'orders',
    partition: 0,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    isTransactional: false,
    compression: 'none',
    records: heldRecords(
      records.map((record) => ({ key: null, value: null, headers: [], timestamp: 1_700_000_000_000, ...record })),
    ),
    ...fields,
  }
}

export async function encode(batch: ProduceBatch): Promise<Buffer> {
  return Buffer.concat(await encodeRecordBatch(batch, builtInCodecs))
}

/** A batch with its records made. */
export type ReadBatch = Omit<FetchedBatch, 'count' | 'decode' | 'inParts'> & {
  readonly records: readonly ReceivedRecord[]
}

/** Batches and their records; the first thing that cannot be read, here or there, ends the list. */
export async function decode(
  bytesOfBatches: Buffer,
): Promise<{ readonly batches: readonly ReadBatch[]; readonly corrupt: string | null }> {
  const { batches, unreadable } = await decodeRecordBatches(bytesOfBatches, builtInCodecs)
  const read: ReadBatch[] = []
  try {
    for (const batch of batches) read.push(readBatch(batch))
  } catch (error) {
    return { batches: read, corrupt: (error as Error).message }
  }
  return { batches: read, corrupt: unreadable?.reason ?? null }
}

function readBatch(batch: FetchedBatch): ReadBatch {
  const { baseOffset, lastOffset, leaderEpoch, producerId, isTransactional, control, count } = batch
  const records = batch.decode()
  if (records.length !== count) throw new Error(`${count} records were told, ${records.length} are there`)
  for (const most of [1, 3, 1_000]) {
    const inParts = readInParts(batch, most)
    if (!isDeepStrictEqual(inParts, records)) throw new Error(`other records come in parts of ${most} than at once`)
  }
  return { baseOffset, lastOffset, leaderEpoch, producerId, isTransactional, control, records }
}

function readInParts(batch: FetchedBatch, most: number): ReceivedRecord[] {
  const next = batch.inParts?.() ?? allAtOnce(batch)
  const records: ReceivedRecord[] = []
  for (;;) {
    const part = next(most)
    if (part.length === 0) return records
    if (part.length > most) throw new Error(`at most ${most} records were wanted, ${part.length} came`)
    records.push(...part)
  }
}

/** What a broker does to a batch it stores: it sets the offset of the first record, which the CRC does not cover. */
export function storedAt(batch: Buffer, baseOffset: number): Buffer {
  const stored = Buffer.from(batch)
  stored.writeBigInt64BE(BigInt(baseOffset), 0)
  return stored
}
