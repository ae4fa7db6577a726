import type { PartitionById } from '../../connection/requests/consumer-groups.js'
import type { Reader } from '../reader.js'
import { malformed } from '../wire-error.js'
import type { Writer } from '../writer.js'
import type { ApiCodec } from './codec.js'

/** Version 0, the early access of Kafka 3.7 to 3.9, knows no pattern and makes the member id itself. */
export const consumerGroupHeartbeat: ApiCodec<'consumerGroupHeartbeat'> = {
  key: 68,
  min: 1,
  max: 1,
  flexibleFrom: 0,
  since: '4.0',
  encode(request, _version, writer) {
    writer.string(request.groupId)
    writer.string(request.memberId)
    writer.int32(request.memberEpoch)
    writer.nullableString(request.groupInstanceId)
    writer.nullableString(request.rackId)
    writer.int32(request.rebalanceTimeoutMs)
    writer.nullableArray(request.subscribedTopics, (topic) => writer.string(topic))
    writer.nullableString(request.subscribedTopicRegex)
    writer.nullableString(request.serverAssignor)
    writer.nullableArray(request.partitions === null ? null : byTopicId(request.partitions), (partitions) =>
      writePartitions(writer, partitions),
    )
    writer.tags()
  },
  decode(reader) {
    const answer = {
      throttleTimeMs: reader.int32(),
      errorCode: reader.int16(),
      errorMessage: reader.nullableString(),
      memberId: reader.nullableString(),
      memberEpoch: reader.int32(),
      heartbeatIntervalMs: reader.int32(),
      assignment: readAssignment(reader),
    }
    reader.tags()
    return answer
  },
}

function byTopicId(partitions: readonly PartitionById[]): readonly (readonly PartitionById[])[] {
  const byId = new Map<string, PartitionById[]>()
  for (const partition of partitions) {
    const known = byId.get(partition.topicId)
    if (known) known.push(partition)
    else byId.set(partition.topicId, [partition])
  }
  return [...byId.values()]
}

function writePartitions(writer: Writer, partitions: readonly PartitionById[]): void {
  writer.uuid(partitions[0]!.topicId)
  writer.array(partitions, ({ partition }) => writer.int32(partition))
  writer.tags()
}

/** A nullable structure: one byte says whether it is there. */
function readAssignment(reader: Reader): readonly PartitionById[] | null {
  if (reader.int8() < 0) return null
  const topics = reader.array(() => {
    const topicId = reader.uuid()
    if (topicId === null) throw malformed('an assignment has a topic without an id')
    const partitions = reader.array(() => ({ topicId, partition: reader.int32() }))
    reader.tags()
    return partitions
  })
  reader.tags()
  return topics.flat()
}
