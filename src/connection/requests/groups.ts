import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'

export interface FindCoordinatorRequest {
  readonly api: 'findCoordinator'
  readonly key: string
  readonly keyType: 'group' | 'transaction'
}
export interface FindCoordinatorAnswer extends Throttled, WithError {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}
/** The consumer protocol's subscription (ConsumerProtocolSubscription). */
export interface Subscription {
  /** 0 = topics and user data only; 1 adds `ownedPartitions`, 2 `generationId`. */
  readonly version: number
  readonly topics: readonly string[]
  readonly userData: Buffer | null
  readonly ownedPartitions: readonly TopicPartition[]
  /** In which generation they were given; missing: the member does not tell. */
  readonly generationId?: number | undefined
}
/** The consumer protocol's assignment (ConsumerProtocolAssignment). */
export interface Assignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Buffer | null
}
export interface JoinGroupRequest {
  readonly api: 'joinGroup'
  readonly groupId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Empty on the first join; the broker then answers MEMBER_ID_REQUIRED with the id to use. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** In order of preference. */
  readonly protocols: readonly { readonly name: string; readonly subscription: Subscription }[]
}
export interface JoinGroupAnswer extends Throttled, WithError {
  readonly generationId: number
  readonly protocolName: string
  readonly leader: string
  readonly memberId: string
  /** Filled for the leader only. */
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly subscription: Subscription
  }[]
}
/** Who a member is to its coordinator. */
export interface GroupMemberIdentity {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}
export interface SyncGroupRequest extends GroupMemberIdentity {
  readonly api: 'syncGroup'
  /** Empty unless this member leads. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Assignment }[]
}
export interface SyncGroupAnswer extends Throttled, WithError {
  readonly assignment: Assignment
}
export interface HeartbeatRequest extends GroupMemberIdentity {
  readonly api: 'heartbeat'
}
export interface HeartbeatAnswer extends Throttled, WithError {}
export interface LeaveGroupRequest {
  readonly api: 'leaveGroup'
  readonly groupId: string
  readonly memberId: string
  readonly groupInstanceId: string | null
}
export interface LeaveGroupAnswer extends Throttled, WithError {}
