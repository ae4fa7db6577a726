import type { Reader } from '../reader.js'
import type { ApiCodec } from './codec.js'

/** First version with topic ids; Kafka 2.8. */
const TOPIC_IDS_FROM = 10

export const metadata: ApiCodec<'metadata'> = {
  key: 3,
  min: 5,
  max: 12,
  flexibleFrom: 9,
  encode({ topics }, version, writer) {
    writer.nullableArray(topics, (topic) => {
      if (version >= TOPIC_IDS_FROM) writer.uuid(null)
      writer.string(topic)
      writer.tags()
    })
    writer.boolean(false) // allow_auto_topic_creation
    if (version >= 8 && version <= 10) writer.boolean(false) // include_cluster_authorized_operations
    if (version >= 8) writer.boolean(false) // include_topic_authorized_operations
    writer.tags()
  },
  decode(reader, version) {
    const throttleTimeMs = reader.int32()
    const brokers = reader.array(() => {
      const nodeId = reader.int32()
      const broker = { nodeId, host: reader.string(), port: reader.int32(), rack: reader.nullableString() }
      reader.tags()
      return broker
    })
    const clusterId = reader.nullableString()
    const controllerId = reader.int32()
    const topics = reader.array(() => {
      const errorCode = reader.int16()
      // Only a topic that is asked for by an unknown id has no name, and we ask by name.
      const name = reader.nullableString() ?? ''
      const topicId = version >= TOPIC_IDS_FROM ? reader.uuid() : null
      const isInternal = reader.boolean()
      const partitions = reader.array(() => {
        const partitionError = reader.int16()
        const partition = reader.int32()
        const leader = reader.int32()
        const leaderEpoch = version >= 7 ? reader.int32() : -1
        const replicas = reader.array(() => reader.int32())
        const isr = reader.array(() => reader.int32())
        reader.array(() => reader.int32()) // offline_replicas
        reader.tags()
        return { errorCode: partitionError, partition, leader, leaderEpoch, replicas, isr }
      })
      if (version >= 8) reader.int32() // topic_authorized_operations
      reader.tags()
      return { errorCode, name, topicId, isInternal, partitions }
    })
    if (version >= 8 && version <= 10) reader.int32() // cluster_authorized_operations
    reader.tags()
    return { throttleTimeMs, brokers, clusterId, controllerId, topics }
  },
}

export const describeTopicPartitions: ApiCodec<'describeTopicPartitions'> = {
  key: 75,
  min: 0,
  max: 0,
  flexibleFrom: 0,
  since: '3.8',
  encode({ topics, limit, cursor }, _version, writer) {
    writer.array(topics, (topic) => {
      writer.string(topic)
      writer.tags()
    })
    writer.int32(limit)
    writer.int8(cursor === null ? -1 : 1)
    if (cursor !== null) {
      writer.string(cursor.topic)
      writer.int32(cursor.partition)
      writer.tags()
    }
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const topics = reader.array(() => {
      const errorCode = reader.int16()
      const name = reader.nullableString() ?? ''
      reader.uuid()
      reader.boolean() // is_internal
      const partitions = reader.array(() => {
        const [partitionError, partition] = [reader.int16(), reader.int32()]
        const [leader, leaderEpoch] = [reader.int32(), reader.int32()]
        const [replicas, isr] = [nodes(reader), nodes(reader)]
        const [eligible, lastKnown] = [nodes(reader), nodes(reader)]
        nodes(reader) // offline_replicas
        reader.tags()
        return { errorCode: partitionError, partition, leader, leaderEpoch, replicas, isr, eligible, lastKnown }
      })
      reader.int32() // topic_authorized_operations
      reader.tags()
      return { errorCode, name, partitions }
    })
    const nextCursor = reader.int8() < 0 ? null : { topic: reader.string(), partition: reader.int32() }
    if (nextCursor !== null) reader.tags()
    reader.tags()
    return { throttleTimeMs, topics, nextCursor }
  },
}

function nodes(reader: Reader): readonly number[] {
  return reader.array(() => reader.int32())
}
