import type { FetchedBatch } from '../../../connection/requests/fetch.js'
import { heldRecords, type OutgoingRecords, type ReceivedRecord } from '../../../message/record.js'
import { GrowingRecords } from '../../../wire/growing-records.js'

/** A batch in a log. It is handed to fetches as it is, so it never changes; compaction replaces it. */
export interface StoredBatch extends FetchedBatch {
  readonly producerEpoch: number
  /** -1 without idempotence. */
  readonly baseSequence: number
  /** As appended; compaction does not lower it. */
  readonly recordCount: number
  readonly maxTimestamp: number
  readonly sizeBytes: number
}

/** Length of a record batch's header, record batch format v2. */
const batchOverheadBytes = 61
/** A marker's record. */
const markerBytes = 20

/** What a producer says of a batch. */
export interface ProducerOrigin {
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
}

/** The same with the leader that appends it. */
export interface BatchOrigin extends ProducerOrigin {
  readonly leaderEpoch: number
}
export type MarkerOrigin = Pick<BatchOrigin, 'producerId' | 'producerEpoch' | 'leaderEpoch'>

/** Gives records their offsets. `appendTime` replaces their timestamps where the topic says so. */
export function storeBatch(
  records: OutgoingRecords,
  origin: BatchOrigin,
  baseOffset: number,
  appendTime: number | null,
): StoredBatch {
  const { count } = records
  return {
    baseOffset,
    lastOffset: baseOffset + count - 1,
    leaderEpoch: origin.leaderEpoch,
    producerId: origin.producerId,
    producerEpoch: origin.producerEpoch,
    baseSequence: origin.baseSequence,
    isTransactional: origin.isTransactional,
    control: 'none',
    count,
    decode: () => received(records, baseOffset, appendTime),
    recordCount: count,
    maxTimestamp: appendTime ?? records.maxTimestamp,
    sizeBytes: sizeOf(records),
  }
}

/** Records stay bytes in the log and become objects for whoever reads them. */
function received(records: OutgoingRecords, baseOffset: number, appendTime: number | null): readonly ReceivedRecord[] {
  if (records instanceof GrowingRecords) return records.received(baseOffset, appendTime)
  return records.decode().map(({ key, value, headers, timestamp }, index) => ({
    offset: baseOffset + index,
    timestamp: appendTime ?? timestamp,
    key,
    value,
    headers,
  }))
}

/** A transaction marker: one offset, no records. */
export function storeMarker(
  control: 'abort' | 'commit',
  { producerId, producerEpoch, leaderEpoch }: MarkerOrigin,
  offset: number,
  timestamp: number,
): StoredBatch {
  return {
    baseOffset: offset,
    lastOffset: offset,
    leaderEpoch,
    producerId,
    producerEpoch,
    baseSequence: -1,
    isTransactional: true,
    control,
    count: 0,
    decode: () => [],
    recordCount: 1,
    maxTimestamp: timestamp,
    sizeBytes: batchOverheadBytes + markerBytes,
  }
}

/** The batch without the records that compaction takes. It covers the same offsets. */
export function withoutRecords(batch: StoredBatch, keep: (record: ReceivedRecord) => boolean): StoredBatch {
  const records = batch.decode().filter(keep)
  if (records.length === batch.count) return batch
  const sizeBytes = sizeOf(heldRecords(records))
  return { ...batch, count: records.length, decode: () => records, sizeBytes }
}

/** Encoded size without compression. */
export function sizeOf(records: OutgoingRecords): number {
  return batchOverheadBytes + records.sizeBytes
}
