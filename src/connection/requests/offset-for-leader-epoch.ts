import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'

/** Asks where the log of a leader epoch ended: a reader beyond that has read what is no longer there. */
export interface OffsetForLeaderEpochRequest {
  readonly api: 'offsetForLeaderEpoch'
  readonly partitions: readonly (TopicPartition & {
    /** As in `FetchPartition`. */
    readonly currentLeaderEpoch: number
    /** Of the last record that was read. */
    readonly leaderEpoch: number
  })[]
}
export interface EpochEnd extends TopicPartition, WithError {
  /** The asked epoch, else the latest one before it; -1 when the leader knows neither. */
  readonly leaderEpoch: number
  /** First offset of the next epoch, or the end of the log; -1 when unknown. */
  readonly endOffset: number
}
export interface OffsetForLeaderEpochAnswer extends Throttled {
  readonly partitions: readonly EpochEnd[]
}
