import type { FetchedBatch } from '../../../connection/requests/fetch.js'
import type { Header, OutgoingRecord, ReceivedRecord } from '../../../message/record.js'

/** A batch in a log. It is handed to fetches as it is, so it never changes; compaction replaces it. */
export interface StoredBatch extends FetchedBatch {
  readonly records: readonly ReceivedRecord[]
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
/** Lengths, attributes, timestamp and offset deltas of one record: between 7 and about 20 bytes. */
const recordOverheadBytes = 10
const headerOverheadBytes = 2

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
  records: readonly OutgoingRecord[],
  origin: BatchOrigin,
  baseOffset: number,
  appendTime: number | null,
  sizeBytes: number,
): StoredBatch {
  const count = records.length
  const stored: ReceivedRecord[] = new Array<ReceivedRecord>(count)
  let maxTimestamp = -1
  for (let index = 0; index < count; index += 1) {
    const { key, value, headers, timestamp: createTime } = records[index]!
    const timestamp = appendTime ?? createTime
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    stored[index] = { offset: baseOffset + index, timestamp, key, value, headers }
  }
  return {
    baseOffset,
    lastOffset: baseOffset + count - 1,
    leaderEpoch: origin.leaderEpoch,
    producerId: origin.producerId,
    producerEpoch: origin.producerEpoch,
    baseSequence: origin.baseSequence,
    isTransactional: origin.isTransactional,
    control: 'none',
    ...holding(stored),
    recordCount: count,
    maxTimestamp,
    sizeBytes,
  }
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
    ...holding([]),
    recordCount: 1,
    maxTimestamp: timestamp,
    sizeBytes: batchOverheadBytes + recordOverheadBytes + 10,
  }
}

/** The batch without the records that compaction takes. It covers the same offsets. */
export function withoutRecords(batch: StoredBatch, keep: (record: ReceivedRecord) => boolean): StoredBatch {
  const records = batch.records.filter(keep)
  return records.length === batch.records.length ? batch : { ...batch, ...holding(records), sizeBytes: sizeOf(records) }
}

function holding(records: readonly ReceivedRecord[]): Pick<StoredBatch, 'records' | 'count' | 'decode'> {
  return { records, count: records.length, decode: () => records }
}

/** Encoded size without compression, near enough for limits. */
export function sizeOf(records: readonly OutgoingRecord[]): number {
  let bytes = batchOverheadBytes
  for (let index = 0; index < records.length; index += 1) {
    const { key, value, headers } = records[index]!
    bytes += recordOverheadBytes
    if (key !== null) bytes += key.length
    if (value !== null) bytes += value.length
    if (headers.length > 0) bytes += sizeOfHeaders(headers)
  }
  return bytes
}

function sizeOfHeaders(headers: readonly Header[]): number {
  let bytes = 0
  for (const [name, value] of headers) {
    bytes += headerOverheadBytes + Buffer.byteLength(name) + (value === null ? 0 : value.length)
  }
  return bytes
}
