import { readByTopic, writeByTopic, type ApiCodec } from './codec.js'

export const listOffsets: ApiCodec<'listOffsets'> = {
  key: 2,
  min: 2,
  max: 5,
  flexibleFrom: 6,
  encode({ isolation, partitions }, version, writer) {
    writer.int32(-1) // replica_id: a consumer
    writer.int8(isolation === 'read-committed' ? 1 : 0)
    writeByTopic(writer, partitions, ({ partition, timestamp }) => {
      writer.int32(partition)
      if (version >= 4) writer.int32(-1) // current_leader_epoch: unknown
      writer.int64(timestamp)
    })
  },
  decode(reader, version) {
    const throttleTimeMs = reader.int32()
    const partitions = readByTopic(reader, (topic) => {
      return {
        topic,
        partition: reader.int32(),
        errorCode: reader.int16(),
        timestamp: reader.int64(),
        offset: reader.int64(),
        leaderEpoch: version >= 4 ? reader.int32() : -1,
      }
    })
    return { throttleTimeMs, partitions }
  },
}
