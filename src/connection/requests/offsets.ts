import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'
import type { GroupMemberIdentity } from './groups.js'

/** What a group has committed for a partition. */
export interface CommittedPartition extends TopicPartition {
  /** Next offset to read. */
  readonly offset: number
  /** Of the last record before it; -1 when unknown. */
  readonly leaderEpoch: number
  readonly metadata: string | null
}
export interface PartitionToCommit extends CommittedPartition {
  /** Brokers from Kafka 4.1 on store nothing for another topic of the same name. `null` when unknown. */
  readonly topicId: string | null
}
export interface OffsetCommitRequest extends GroupMemberIdentity {
  readonly api: 'offsetCommit'
  readonly partitions: readonly PartitionToCommit[]
}
export interface OffsetCommitAnswer extends Throttled {
  readonly partitions: readonly (TopicPartition & WithError)[]
}
export interface OffsetFetchRequest {
  readonly api: 'offsetFetch'
  readonly groupId: string
  /** `null` asks for everything the group has committed. */
  readonly partitions: readonly TopicPartition[] | null
  /** Answer UNSTABLE_OFFSET_COMMIT while a transaction with offsets is open. */
  readonly requireStable: boolean
}
export interface OffsetFetchAnswer extends Throttled, WithError {
  /** `offset` is -1 where nothing is committed. */
  readonly partitions: readonly (CommittedPartition & WithError)[]
}
