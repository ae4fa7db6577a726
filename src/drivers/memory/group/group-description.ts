import type { DescribedGroup, DescribedMember } from '../../../connection/requests/group-admin.js'
import type { TopicPartition } from '../../../message/topic-partition.js'
import { ClassicGroup } from './classic/classic-group.js'
import { subscriptionFor, type GroupMember } from './classic/member.js'
import type { ConsumerGroup } from './consumer/consumer-group.js'
import type { ConsumerMember } from './consumer/member.js'
import type { PartitionSet } from './consumer/partition-set.js'

/** A group as its coordinator tells it to those who are no members. */
export interface GroupTold extends Omit<DescribedGroup, 'errorCode' | 'groupId'> {
  /** Whose members divide the partitions: one of themselves, or the coordinator. */
  readonly type: 'classic' | 'consumer'
}

/** Names of topics by id; what is of a topic that is gone is told by nobody. */
export type TopicNames = ReadonlyMap<string, string>

/** Where all clients of this cluster are. */
const clientHost = '/127.0.0.1'

export function describeGroup(group: ClassicGroup | ConsumerGroup, names: TopicNames): GroupTold {
  return group instanceof ClassicGroup ? describeClassic(group) : describeConsumer(group, names)
}

/** Does a member read this topic? */
export function isRead(group: GroupTold, topic: string): boolean {
  return group.members.some(({ topics, topicRegex }) => {
    return topics.includes(topic) || (topicRegex !== null && new RegExp(`^(?:${topicRegex})$`).test(topic))
  })
}

function describeClassic(group: ClassicGroup): GroupTold {
  const { state, generationId, protocolName, members } = group
  return {
    ...{ type: 'classic', state, assignor: protocolName, epoch: null },
    // One that was only committed to has no kind of members yet.
    protocolType: generationId === 0 ? '' : 'consumer',
    members: members.map((member) => describeClassicMember(member, protocolName)),
  }
}

function describeClassicMember(member: GroupMember, protocolName: string): DescribedMember {
  const { memberId, instanceId, clientId, assignment } = member
  return {
    ...{ memberId, groupInstanceId: instanceId, clientId, clientHost, rackId: null },
    ...{ epoch: null, topics: subscriptionFor(member, protocolName).topics, topicRegex: null },
    ...{ partitions: assignment.partitions, target: null },
  }
}

function describeConsumer(group: ConsumerGroup, names: TopicNames): GroupTold {
  const placesOf = (partitions: PartitionSet): readonly TopicPartition[] =>
    [...partitions.values()].flatMap(({ topicId, partition }) => {
      const topic = names.get(topicId)
      return topic === undefined ? [] : [{ topic, partition }]
    })
  const describeMember = (member: ConsumerMember): DescribedMember => ({
    ...{ memberId: member.memberId, groupInstanceId: member.instanceId, clientId: member.clientId, clientHost },
    ...{ rackId: member.rackId, epoch: member.epoch, topics: member.topics, topicRegex: member.regex },
    ...{ partitions: placesOf(member.assigned), target: placesOf(group.meantFor(member.memberId)) },
  })
  return {
    ...{ type: 'consumer', state: group.state, assignor: group.assignorName, epoch: group.generationId },
    protocolType: 'consumer',
    members: group.members.map(describeMember),
  }
}
