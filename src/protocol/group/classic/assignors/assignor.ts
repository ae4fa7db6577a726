import type { Subscription } from '../../../../connection/requests/groups.js'
import type { AssignorName } from '../../../../driver/consumer.js'
import type { TopicPartition } from '../../../../message/topic-partition.js'

/** A member as the group's leader sees it. */
export interface AssignorMember {
  readonly memberId: string
  /** Set for static members. */
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  readonly userData: Buffer | null
  /** What it says that it holds while it joins, and since which generation. Missing: nothing. */
  readonly owned?: HeldBefore | undefined
}

/** What a member held last, and in which generation. */
export interface HeldBefore {
  readonly generationId: number
  readonly partitions: readonly TopicPartition[]
}

/** What a member says of its partitions when it joins. */
export interface Claims {
  /** Its own still. */
  readonly now: readonly TopicPartition[]
  /** The newest generation in which that is so: the one it is in, though it may not have heard the division. -1 with nothing. */
  readonly nowGenerationId: number
  /** What the last division gave it, held or not. */
  readonly last: readonly TopicPartition[]
  /** Of the last division; -1 before the first. */
  readonly generationId: number
}

/** Partitions by member id; every member has an entry. */
export type GroupAssignment = Map<string, TopicPartition[]>

/**
 * Divides the partitions of a group's topics among its members. Pure: the same input gives the same output on every
 * member, and a member only ever gets partitions of topics it subscribed to.
 */
export interface Assignor {
  readonly name: AssignorName
  /** The name in JoinGroup; all members of a group must have one in common. */
  readonly protocolName: string
  /**
   * `eager`: members hold nothing while they join. `cooperative`: they keep what they have, and what is to change hands is
   * given to nobody before its owner has given it up and joined again.
   */
  readonly kind: 'eager' | 'cooperative'
  /** What a member tells the leader about itself. */
  subscription(topics: readonly string[], claims: Claims): Subscription
  /** @param partitionCounts by topic; a topic that is missing here does not exist yet and is left out. */
  assign(members: readonly AssignorMember[], partitionCounts: ReadonlyMap<string, number>): GroupAssignment
}

/** Of an eager member. Version 0 is what every client reads. */
export function eagerSubscription(topics: readonly string[], userData: Buffer | null): Subscription {
  return { version: 0, topics, userData, ownedPartitions: [] }
}

export function emptyAssignment(members: readonly AssignorMember[]): GroupAssignment {
  return new Map(members.map((member) => [member.memberId, []]))
}

/** Java's order of members: static ones first by instance id, then the others by member id (UTF-16 code units). */
export function inJavaOrder(members: readonly AssignorMember[]): AssignorMember[] {
  return [...members].sort((left, right) => {
    if (left.groupInstanceId !== null && right.groupInstanceId !== null) {
      return compareText(left.groupInstanceId, right.groupInstanceId)
    }
    if (left.groupInstanceId !== null) return -1
    if (right.groupInstanceId !== null) return 1
    return compareText(left.memberId, right.memberId)
  })
}

export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** Every topic that some member subscribed to and that exists, by name. */
export function subscribedTopics(
  members: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): string[] {
  const topics = new Set(members.flatMap((member) => member.topics))
  return [...topics].filter((topic) => partitionCounts.has(topic)).sort(compareText)
}

export function partitionsOf(topic: string, count: number): TopicPartition[] {
  return Array.from({ length: count }, (_, partition) => ({ topic, partition }))
}
