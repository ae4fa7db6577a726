import { readByTopic, writeByTopic, type ApiCodec } from './codec.js'

export const offsetForLeaderEpoch: ApiCodec<'offsetForLeaderEpoch'> = {
  key: 23,
  min: 3,
  max: 4,
  flexibleFrom: 4,
  encode({ partitions }, _version, writer) {
    writer.int32(-1) // replica_id: a consumer
    writeByTopic(writer, partitions, ({ partition, currentLeaderEpoch, leaderEpoch }) => {
      writer.int32(partition)
      writer.int32(currentLeaderEpoch)
      writer.int32(leaderEpoch)
      writer.tags()
    })
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const partitions = readByTopic(reader, (topic) => {
      const errorCode = reader.int16()
      const partition = reader.int32()
      const end = { topic, partition, errorCode, leaderEpoch: reader.int32(), endOffset: reader.int64() }
      reader.tags()
      return end
    })
    reader.tags()
    return { throttleTimeMs, partitions }
  },
}
