/** Name and value; order is kept and equal names may repeat, as in Kafka. */
export type Header = readonly [name: string, value: Buffer | null]

/** A record as bytes, ready to be stored. */
export interface OutgoingRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number
}

/** Records on their way out: already bytes, whatever becomes of what they were made of. */
export interface OutgoingRecords {
  readonly count: number
  /** Encoded, without compression and without the header of their batch. */
  readonly sizeBytes: number
  readonly maxTimestamp: number
  /** As objects, in order, anew at every call. */
  decode(): readonly OutgoingRecord[]
}

/** Records that are objects already. */
export function heldRecords(records: readonly OutgoingRecord[]): OutgoingRecords {
  return {
    count: records.length,
    sizeBytes: records.reduce((bytes, record) => bytes + roughSize(record), 0),
    maxTimestamp: records.reduce((latest, { timestamp }) => Math.max(latest, timestamp), -1),
    decode: () => records,
  }
}

/** Lengths, attributes, timestamp and offset deltas of one record take between 7 and about 20 bytes. */
function roughSize({ key, value, headers }: OutgoingRecord): number {
  return headers.reduce(
    (bytes, [name, content]) => bytes + 2 + Buffer.byteLength(name) + (content?.length ?? 0),
    10 + (key?.length ?? 0) + (value?.length ?? 0),
  )
}

/**
 * A record as a broker returned it. A value may be a view into all that was fetched with it, which it keeps in memory: copy
 * what outlives the handler. Keys and headers stand alone.
 */
export interface ReceivedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly Header[]
}

/** Records that stay bytes until they are asked for: what waits costs no objects. */
export interface RecordBatch {
  /** At most so many records. */
  readonly count: number
  /** Makes the records, in order, anew at every call. Throws when the bytes are no records. */
  decode(): readonly ReceivedRecord[]
  /**
   * The same records in parts, so that those which wait cost no objects: each call of what it returns makes the next ones, at
   * most so many, and none at the end. What throws once throws at every further call. Missing: `decode` makes all at once.
   */
  readonly inParts?: (() => NextRecords) | undefined
}

/** Makes the next records of a batch, at most so many; none at its end. */
export type NextRecords = (most: number) => readonly ReceivedRecord[]

/** Of a batch that does not come in parts. */
export function allAtOnce(batch: Pick<RecordBatch, 'decode'>): NextRecords {
  let isDone = false
  return () => {
    if (isDone) return []
    const records = batch.decode()
    isDone = true
    return records
  }
}

export const noHeaders: readonly Header[] = Object.freeze([])
