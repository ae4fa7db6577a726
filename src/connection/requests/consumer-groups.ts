/** Groups whose coordinator divides the partitions by itself (KIP-848). */
import type { Throttled, WithError } from './answer.js'

/** A partition of a topic by its id: one that was made anew has another. */
export interface PartitionById {
  readonly topicId: string
  readonly partition: number
}
/** `memberEpoch` of a request that no member has yet, or whose member goes. */
export const memberEpochs = {
  joins: 0,
  leaves: -1,
  /** A static member that will be back: nobody else is given its partitions until its session is over. */
  leavesForAWhile: -2,
} as const
/** What is `null`, and a rebalance timeout of -1, is as it was told last. */
export interface ConsumerGroupHeartbeatRequest {
  readonly api: 'consumerGroupHeartbeat'
  readonly groupId: string
  /** Chosen by the member itself, for as long as its process lives. */
  readonly memberId: string
  /** The last one that the coordinator told, or one of `memberEpochs`. */
  readonly memberEpoch: number
  readonly groupInstanceId: string | null
  readonly rackId: string | null
  /** Must be told by who joins. */
  readonly rebalanceTimeoutMs: number
  /** Names or a pattern must be told by who joins. */
  readonly subscribedTopics: readonly string[] | null
  /** In RE2's syntax; the whole name must match. Empty takes it back. */
  readonly subscribedTopicRegex: string | null
  /** `null`: the group's own. */
  readonly serverAssignor: string | null
  /** What is really ours, which gives back what is missing here. Must be empty for who joins. */
  readonly partitions: readonly PartitionById[] | null
}
export interface ConsumerGroupHeartbeatAnswer extends Throttled, WithError {
  readonly errorMessage: string | null
  readonly memberId: string | null
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  /** All that is ours now; `null` when nothing changed since it was told. */
  readonly assignment: readonly PartitionById[] | null
}
