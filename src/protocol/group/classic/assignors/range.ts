import {
  eagerSubscription,
  emptyAssignment,
  inJavaOrder,
  partitionsOf,
  subscribedTopics,
  type Assignor,
} from './assignor.js'

/** Java's `range` without racks: topic by topic, neighbouring partitions to members in order, the first ones one more. */
export const range: Assignor = {
  name: 'range',
  protocolName: 'range',
  kind: 'eager',
  subscription: (topics) => eagerSubscription(topics, null),
  assign(members, partitionCounts) {
    const assignment = emptyAssignment(members)
    const ordered = inJavaOrder(members)
    for (const topic of subscribedTopics(members, partitionCounts)) {
      const readers = ordered.filter((member) => member.topics.includes(topic))
      const partitions = partitionsOf(topic, partitionCounts.get(topic) ?? 0)
      const share = Math.floor(partitions.length / readers.length)
      const withOneMore = partitions.length % readers.length
      let next = 0
      for (const [index, reader] of readers.entries()) {
        const end = next + share + (index < withOneMore ? 1 : 0)
        assignment.get(reader.memberId)?.push(...partitions.slice(next, end))
        next = end
      }
    }
    return assignment
  },
}
