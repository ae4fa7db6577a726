import type { TopicPartition } from '../../message/topic-partition.js'

/** The order of event time as it stands. Times are ms since the Unix epoch. */
export interface OrderFacts {
  /** No record up to this time is expected any more; `null` while nothing is known. */
  readonly watermark: number | null
  readonly epoch: number
  /** Records that are kept back. */
  readonly buffered: number
  readonly bufferedBytes: number
  /** Records that may be handled and wait for their turn. */
  readonly ready: number
  /** The partition that holds the watermark back; `null` when none does. */
  readonly heldBy: TopicPartition | null
  readonly late: number
  /** Let go before their watermark for lack of room. */
  readonly forced: number
  /** Read again after a restart, and done before it. */
  readonly replayed: number
  /** Without a time that may be believed, and ordered by another. */
  readonly clamped: number
  /** Without a time, and dropped. */
  readonly skipped: number
}
