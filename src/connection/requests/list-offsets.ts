import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'
import type { IsolationLevel } from './fetch.js'

export interface ListOffsetsRequest {
  readonly api: 'listOffsets'
  readonly isolation: IsolationLevel
  /** `timestamp`: -2 earliest, -1 latest, else the first offset whose record is at or after it. */
  readonly partitions: readonly (TopicPartition & { readonly timestamp: number })[]
}
export interface ListOffsetsAnswer extends Throttled {
  readonly partitions: readonly FoundOffset[]
}
export interface FoundOffset extends TopicPartition, WithError {
  readonly timestamp: number
  /** -1 when no record is at or after the timestamp. */
  readonly offset: number
  /** Of the leader that wrote there; -1 when unknown. */
  readonly leaderEpoch: number
}
