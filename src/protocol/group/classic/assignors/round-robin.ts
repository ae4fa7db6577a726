import type { TopicPartition } from '../../../../message/topic-partition.js'
import {
  compareText,
  eagerSubscription,
  emptyAssignment,
  inJavaOrder,
  partitionsOf,
  subscribedTopics,
  type Assignor,
  type AssignorMember,
  type GroupAssignment,
} from './assignor.js'

/** Java's `roundrobin`: all partitions by topic and number, dealt in turn; a member that did not subscribe is passed over. */
export const roundRobin: Assignor = {
  name: 'roundrobin',
  protocolName: 'roundrobin',
  kind: 'eager',
  subscription: (topics) => eagerSubscription(topics, null),
  assign: (members, partitionCounts) => deal(members, inJavaOrder(members), partitionCounts),
}

/** kafkajs' `RoundRobinAssigner`: as above with members by member id alone, so that both can share a group. */
export const kafkajsRoundRobin: Assignor = {
  name: 'kafkajs-roundrobin',
  protocolName: 'RoundRobinAssigner',
  kind: 'eager',
  subscription: (topics) => eagerSubscription(topics, null),
  assign(members, partitionCounts) {
    const byMemberId = [...members].sort((left, right) => compareText(left.memberId, right.memberId))
    return deal(members, byMemberId, partitionCounts)
  },
}

function deal(
  members: readonly AssignorMember[],
  ordered: readonly AssignorMember[],
  partitionCounts: ReadonlyMap<string, number>,
): GroupAssignment {
  const assignment = emptyAssignment(members)
  const partitions: TopicPartition[] = subscribedTopics(members, partitionCounts).flatMap((topic) =>
    partitionsOf(topic, partitionCounts.get(topic) ?? 0),
  )
  let turn = 0
  for (const partition of partitions) {
    // Some member subscribed to it, else its topic would not be in the list: the search ends within one round.
    const reader = nextReader(ordered, turn, partition.topic)
    assignment.get(reader.member.memberId)?.push(partition)
    turn = reader.index + 1
  }
  return assignment
}

function nextReader(ordered: readonly AssignorMember[], turn: number, topic: string) {
  for (let step = 0; step < ordered.length; step += 1) {
    const index = (turn + step) % ordered.length
    const member = ordered[index]
    if (member?.topics.includes(topic)) return { member, index }
  }
  throw new RangeError(`no member subscribed to topic ${topic}`)
}
