/** What is asked about groups by those who are no members. */
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'

export interface ListGroupsRequest {
  readonly api: 'listGroups'
  /** By Kafka's names; empty leaves nothing out. */
  readonly states: readonly string[]
  /** By Kafka's names; empty leaves nothing out. */
  readonly types: readonly string[]
}
/** A group, as a list tells it. */
export interface ListedGroup {
  readonly groupId: string
  /** `consumer` of consumers, whoever divides their partitions; `connect`, `share`, …; empty where only offsets are kept. */
  readonly protocolType: string
  /** In Kafka's words: `Stable`, `Empty`, `PreparingRebalance`, `Reconciling`, …; more may come. */
  readonly state: string
  /**
   * Who divides the partitions: `classic` a member, `consumer` the coordinator (KIP-848); `share` is read side by side. More
   * may come. Brokers before Kafka 3.8 know `classic` alone.
   */
  readonly type: string
}
export interface ListGroupsAnswer extends Throttled, WithError {
  readonly groups: readonly ListedGroup[]
}
export interface DescribeGroupsRequest {
  readonly api: 'describeGroups' | 'consumerGroupDescribe' | 'shareGroupDescribe'
  readonly groupIds: readonly string[]
}
export interface DescribeClassicGroupsRequest extends DescribeGroupsRequest {
  readonly api: 'describeGroups'
}
export interface DescribeConsumerGroupsRequest extends DescribeGroupsRequest {
  readonly api: 'consumerGroupDescribe'
}
export interface DescribeShareGroupsRequest extends DescribeGroupsRequest {
  readonly api: 'shareGroupDescribe'
}
/** A member of a group, as its coordinator sees it. */
export interface DescribedMember {
  readonly memberId: string
  /** `null` of a dynamic member. */
  readonly groupInstanceId: string | null
  readonly clientId: string
  /** As the coordinator sees it, most often an address. */
  readonly clientHost: string
  readonly rackId: string | null
  /** What the member has come to; `null` in a classic group, where all have the same. */
  readonly epoch: number | null
  readonly topics: readonly string[]
  /** What is subscribed to by pattern. */
  readonly topicRegex: string | null
  readonly partitions: readonly TopicPartition[]
  /** What is meant for it, and some of it perhaps still with others; `null` in groups that know no such thing. */
  readonly target: readonly TopicPartition[] | null
}
export interface DescribedGroup extends WithError {
  readonly groupId: string
  readonly state: string
  readonly protocolType: string
  /** Name of the assignor; empty while there is none. */
  readonly assignor: string
  /** Of the group; `null` in a classic one, whose generation brokers do not tell. */
  readonly epoch: number | null
  readonly members: readonly DescribedMember[]
}
export interface DescribeGroupsAnswer extends Throttled {
  readonly groups: readonly DescribedGroup[]
}
export interface DeleteGroupsRequest {
  readonly api: 'deleteGroups'
  readonly groupIds: readonly string[]
}
export interface DeleteGroupsAnswer extends Throttled {
  readonly groups: readonly (WithError & { readonly groupId: string })[]
}
export interface OffsetDeleteRequest {
  readonly api: 'offsetDelete'
  readonly groupId: string
  readonly partitions: readonly TopicPartition[]
}
export interface OffsetDeleteAnswer extends Throttled, WithError {
  readonly partitions: readonly (TopicPartition & WithError)[]
}
