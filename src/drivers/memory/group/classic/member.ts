import type {
  Assignment,
  JoinGroupAnswer,
  JoinGroupRequest,
  Subscription,
  SyncGroupAnswer,
} from '../../../../connection/requests/groups.js'
import type { TopicPartition } from '../../../../message/topic-partition.js'
import type { Timer } from '../../../../runtime/clock.js'

export type JoinReply = (answer: JoinGroupAnswer) => void
export type SyncReply = (answer: SyncGroupAnswer) => void
export type GroupProtocols = JoinGroupRequest['protocols']

export const emptyAssignment: Assignment = { partitions: [], userData: null }

/** A member as the group's coordinator keeps it. */
export interface GroupMember {
  readonly memberId: string
  readonly instanceId: string | null
  readonly clientId: string
  protocols: GroupProtocols
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  assignment: Assignment
  /** Set while the member's JoinGroup is parked. */
  join: JoinReply | null
  /** Set while the member's SyncGroup is parked. */
  sync: SyncReply | null
  /** It has not been part of a generation yet, so that it may expire while its JoinGroup is parked. */
  isNew: boolean
  /** Has asked for the assignment of the present generation. */
  hasSynced: boolean
  session: Timer | null
}

/** Does the member offer the same as before? Then joining again needs no rebalance. */
export function offersTheSame(member: GroupMember, protocols: GroupProtocols): boolean {
  return (
    member.protocols.length === protocols.length &&
    member.protocols.every((protocol, index) => {
      const other = protocols[index]!
      return protocol.name === other.name && sameSubscription(protocol.subscription, other.subscription)
    })
  )
}

export function subscriptionFor(member: GroupMember, protocolName: string): Subscription {
  const protocol = member.protocols.find(({ name }) => name === protocolName) ?? member.protocols[0]!
  return protocol.subscription
}

/**
 * The protocol of the next generation: each member votes for the first of its own that all have; most votes win, and of
 * equal ones the one voted for first.
 */
export function selectProtocol(members: Iterable<GroupMember>): string {
  const all = [...members]
  const isCommon = (name: string) => all.every((member) => member.protocols.some((offered) => offered.name === name))
  const votes = new Map<string, number>()
  for (const { protocols } of all) {
    const choice = protocols.find(({ name }) => isCommon(name))
    if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1)
  }
  let winner = ''
  for (const [name, count] of votes) if (count > (votes.get(winner) ?? 0)) winner = name
  return winner
}

/** Would the group, with a member that offers `protocols`, still have a protocol in common? */
export function haveCommonProtocol(members: Iterable<GroupMember>, protocols: GroupProtocols): boolean {
  const all = [...members]
  return protocols.some(({ name }) => all.every((member) => member.protocols.some((offered) => offered.name === name)))
}

function sameSubscription(a: Subscription, b: Subscription): boolean {
  return (
    a.version === b.version &&
    a.generationId === b.generationId &&
    a.topics.length === b.topics.length &&
    a.topics.every((topic, index) => topic === b.topics[index]) &&
    sameBytes(a.userData, b.userData) &&
    samePartitions(a.ownedPartitions, b.ownedPartitions)
  )
}

function sameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b)
}

function samePartitions(a: readonly TopicPartition[], b: readonly TopicPartition[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ topic, partition }, index) => topic === b[index]!.topic && partition === b[index]!.partition)
  )
}
