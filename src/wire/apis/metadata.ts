import type { ApiCodec } from './codec.js'

export const metadata: ApiCodec<'metadata'> = {
  key: 3,
  min: 5,
  max: 8,
  flexibleFrom: 9,
  encode({ topics }, version, writer) {
    writer.nullableArray(topics, (topic) => writer.string(topic))
    writer.boolean(false) // allow_auto_topic_creation
    if (version >= 8) {
      writer.boolean(false) // include_cluster_authorized_operations
      writer.boolean(false) // include_topic_authorized_operations
    }
  },
  decode(reader, version) {
    const throttleTimeMs = reader.int32()
    const brokers = reader.array(() => ({
      nodeId: reader.int32(),
      host: reader.string(),
      port: reader.int32(),
      rack: reader.nullableString(),
    }))
    const clusterId = reader.nullableString()
    const controllerId = reader.int32()
    const topics = reader.array(() => {
      const errorCode = reader.int16()
      const name = reader.string()
      const isInternal = reader.boolean()
      const partitions = reader.array(() => {
        const partitionError = reader.int16()
        const partition = reader.int32()
        const leader = reader.int32()
        const leaderEpoch = version >= 7 ? reader.int32() : -1
        const replicas = reader.array(() => reader.int32())
        const isr = reader.array(() => reader.int32())
        reader.array(() => reader.int32()) // offline_replicas
        return { errorCode: partitionError, partition, leader, leaderEpoch, replicas, isr }
      })
      if (version >= 8) reader.int32() // topic_authorized_operations
      return { errorCode, name, isInternal, partitions }
    })
    if (version >= 8) reader.int32() // cluster_authorized_operations
    return { throttleTimeMs, brokers, clusterId, controllerId, topics }
  },
}
