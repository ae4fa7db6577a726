import { TidemarkError } from '../errors.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'

/** `combined`: late is what is behind what was let go; `partition`: also what is behind its own partition's watermark, whatever the others do. */
export type Lateness = 'combined' | 'partition'

/** `combined`: one order over all partitions; `partition`: one for each, under the watermark of all. */
export type OrderScope = 'combined' | 'partition'

export interface ReorderLimits {
  readonly order: OrderScope
  readonly lateness: Lateness
  /** Most records in the buffer. */
  readonly maxRecords: number
  readonly maxBytes: number
  /** From so many in the buffer on a partition is paused. */
  readonly maxRecordsPerPartition: number
  /** `next` may be a marker, and nothing behind it is handed out before it was passed. */
  readonly tellsWatermarks: boolean
  /** Over the limit: let the oldest go before their watermark, or refuse. */
  readonly whenFull: 'emit-early' | 'shut-down'
}

export interface ReorderCounts {
  readonly late: number
  /** Let go before their watermark for lack of room. */
  readonly forced: number
  /** Read again after a restart, and done before it. */
  readonly replayed: number
  /** From the far future, or without a time, and ordered by another. */
  readonly clamped: number
  /** Without a time, and dropped. */
  readonly skipped: number
  /** Times that everything was let go because all partitions were idle. */
  readonly idleReleases: number
}

/** Nothing more has room. */
export function bufferFull(records: number, bytes: number, slowest: TopicPartition | null): TidemarkError {
  const waits = slowest === null ? '' : `, which waits for ${partitionKey(slowest.topic, slowest.partition)}`
  return new TidemarkError(
    'reorder-buffer-full',
    `the reorder buffer has ${records} records and ${bytes} bytes${waits}; raise its limits, lower the out-of-orderness, or ` +
      "choose whenFull: 'emit-early'",
  )
}
