import type {
  DescribedGroup,
  DescribedMember,
  DescribeGroupsAnswer,
  DescribeGroupsRequest,
} from '../../connection/requests/group-admin.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { decodeAssignment, decodeSubscription } from '../consumer-protocol.js'
import type { Reader } from '../reader.js'
import type { Writer } from '../writer.js'
import { readByTopic, writeByTopic, type ApiCodec } from './codec.js'

/** First version that tells the state, and can leave states out. */
const STATES_FROM = 4
/** First version that tells the type, and can leave types out. */
const TYPES_FROM = 5

export const listGroups: ApiCodec<'listGroups'> = {
  key: 16,
  min: 3,
  max: 5,
  flexibleFrom: 3,
  encode({ states, types }, version, writer) {
    if (version >= STATES_FROM) writer.array(states, (state) => writer.string(state))
    if (version >= TYPES_FROM) writer.array(types, (type) => writer.string(type))
    writer.tags()
  },
  decode(reader, version) {
    const answer = {
      throttleTimeMs: reader.int32(),
      errorCode: reader.int16(),
      groups: reader.array(() => {
        const group = {
          groupId: reader.string(),
          protocolType: reader.string(),
          state: version >= STATES_FROM ? reader.string() : '',
          // Told as `Classic`, asked for as one likes.
          type: version >= TYPES_FROM ? reader.string().toLowerCase() : 'classic',
        }
        reader.tags()
        return group
      }),
    }
    reader.tags()
    return answer
  },
}

/** A group that nobody knows is told as one in the state `Dead`. */
export const describeGroups: ApiCodec<'describeGroups'> = {
  key: 15,
  min: 4,
  max: 5,
  flexibleFrom: 5,
  encode: writeGroups,
  decode(reader) {
    return readGroups(reader, () => {
      const errorCode = reader.int16()
      const groupId = reader.string()
      const state = reader.string()
      const protocolType = reader.string()
      const assignor = reader.string()
      const isOfConsumers = protocolType === 'consumer'
      return {
        ...{ errorCode, groupId, state, protocolType, assignor, epoch: null },
        members: reader.array(() => readClassicMember(reader, isOfConsumers)),
      }
    })
  },
}

/** What members of other kinds tell each other, those of Connect for example, is their own. */
function readClassicMember(reader: Reader, isConsumer: boolean): DescribedMember {
  const memberId = reader.string()
  const groupInstanceId = reader.nullableString()
  const clientId = reader.string()
  const clientHost = reader.string()
  const subscription = reader.nullableBytes()
  const assignment = reader.nullableBytes()
  reader.tags()
  return {
    ...{ memberId, groupInstanceId, clientId, clientHost, rackId: null, epoch: null, topicRegex: null, target: null },
    topics: isConsumer ? decodeSubscription(subscription).topics : [],
    partitions: isConsumer ? decodeAssignment(assignment).partitions : [],
  }
}

export const consumerGroupDescribe: ApiCodec<'consumerGroupDescribe'> = {
  key: 69,
  min: 0,
  max: 1,
  flexibleFrom: 0,
  since: '4.0',
  encode: writeGroups,
  decode(reader, version) {
    return readGroups(reader, () => {
      const head = readHead(reader)
      const members = reader.array((): DescribedMember => {
        const memberId = reader.string()
        const groupInstanceId = reader.nullableString()
        const rackId = reader.nullableString()
        const epoch = reader.int32()
        const clientId = reader.string()
        const clientHost = reader.string()
        const topics = reader.array(() => reader.string())
        const topicRegex = reader.nullableString()
        const partitions = readPartitions(reader)
        const target = readPartitions(reader)
        if (version >= 1) reader.int8() // member_type
        reader.tags()
        return {
          memberId,
          groupInstanceId,
          rackId,
          epoch,
          clientId,
          clientHost,
          topics,
          topicRegex,
          partitions,
          target,
        }
      })
      return { ...head, protocolType: 'consumer', members }
    })
  },
}

export const shareGroupDescribe: ApiCodec<'shareGroupDescribe'> = {
  key: 77,
  min: 1,
  max: 1,
  flexibleFrom: 0,
  since: '4.1',
  encode: writeGroups,
  decode(reader) {
    return readGroups(reader, () => {
      const head = readHead(reader)
      const members = reader.array((): DescribedMember => {
        const memberId = reader.string()
        const rackId = reader.nullableString()
        const epoch = reader.int32()
        const clientId = reader.string()
        const clientHost = reader.string()
        const topics = reader.array(() => reader.string())
        const partitions = readPartitions(reader)
        reader.tags()
        const none = { groupInstanceId: null, topicRegex: null, target: null }
        return { memberId, rackId, epoch, clientId, clientHost, topics, partitions, ...none }
      })
      return { ...head, protocolType: 'share', members }
    })
  },
}

function writeGroups({ groupIds }: DescribeGroupsRequest, _version: number, writer: Writer): void {
  writer.array(groupIds, (groupId) => writer.string(groupId))
  writer.boolean(false) // include_authorized_operations
  writer.tags()
}

function readGroups(reader: Reader, read: () => DescribedGroup): DescribeGroupsAnswer {
  const throttleTimeMs = reader.int32()
  const groups = reader.array(() => {
    const group = read()
    reader.int32() // authorized_operations
    reader.tags()
    return group
  })
  reader.tags()
  return { throttleTimeMs, groups }
}

function readHead(reader: Reader) {
  const errorCode = reader.int16()
  reader.nullableString() // error_message
  const groupId = reader.string()
  const state = reader.string()
  const epoch = reader.int32()
  reader.int32() // assignment_epoch
  return { errorCode, groupId, state, epoch, assignor: reader.string() }
}

function readPartitions(reader: Reader): readonly TopicPartition[] {
  const partitions = readByTopic(
    reader,
    (topic) => ({ topic, partition: reader.int32() }),
    () => {
      reader.uuid()
      return reader.string()
    },
  )
  reader.tags()
  return partitions
}

export const deleteGroups: ApiCodec<'deleteGroups'> = {
  key: 42,
  min: 1,
  max: 2,
  flexibleFrom: 2,
  encode({ groupIds }, _version, writer) {
    writer.array(groupIds, (groupId) => writer.string(groupId))
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const groups = reader.array(() => {
      const group = { groupId: reader.string(), errorCode: reader.int16() }
      reader.tags()
      return group
    })
    reader.tags()
    return { throttleTimeMs, groups }
  },
}

export const offsetDelete: ApiCodec<'offsetDelete'> = {
  key: 47,
  min: 0,
  max: 0,
  flexibleFrom: Infinity,
  encode({ groupId, partitions }, _version, writer) {
    writer.string(groupId)
    writeByTopic(writer, partitions, ({ partition }) => writer.int32(partition))
  },
  decode(reader) {
    const errorCode = reader.int16()
    const throttleTimeMs = reader.int32()
    const partitions = readByTopic(reader, (topic) => ({
      topic,
      partition: reader.int32(),
      errorCode: reader.int16(),
    }))
    return { throttleTimeMs, errorCode, partitions }
  },
}
