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
}

export const noHeaders: readonly Header[] = Object.freeze([])
