import { readByTopic, writeByTopic, type ApiCodec } from './codec.js'

export const offsetCommit: ApiCodec<'offsetCommit'> = {
  key: 8,
  min: 7,
  max: 7,
  flexibleFrom: 8,
  encode({ groupId, generationId, memberId, groupInstanceId, partitions }, _version, writer) {
    writer.string(groupId)
    writer.int32(generationId)
    writer.string(memberId)
    writer.nullableString(groupInstanceId)
    writeByTopic(writer, partitions, ({ partition, offset, leaderEpoch, metadata }) => {
      writer.int32(partition)
      writer.int64(offset)
      writer.int32(leaderEpoch)
      writer.nullableString(metadata)
    })
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const partitions = readByTopic(reader, (topic) => ({
      topic,
      partition: reader.int32(),
      errorCode: reader.int16(),
    }))
    return { throttleTimeMs, partitions }
  },
}

/** First version that can wait for open transactions; Kafka 2.5. */
export const REQUIRE_STABLE_FROM = 7

export const offsetFetch: ApiCodec<'offsetFetch'> = {
  key: 9,
  min: 5,
  max: 7,
  flexibleFrom: 6,
  encode({ groupId, partitions, requireStable }, version, writer) {
    writer.string(groupId)
    if (partitions === null) {
      writer.nullableArray(null, () => {})
    } else {
      writeByTopic(
        writer,
        partitions.map(({ topic, partition }) => ({ topic, partition })),
        ({ partition }) => {
          writer.int32(partition)
        },
      )
    }
    if (version >= REQUIRE_STABLE_FROM) writer.boolean(requireStable)
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const partitions = readByTopic(reader, (topic) => {
      const answer = {
        topic,
        partition: reader.int32(),
        offset: reader.int64(),
        leaderEpoch: reader.int32(),
        metadata: reader.nullableString(),
        errorCode: reader.int16(),
      }
      reader.tags()
      return answer
    })
    const errorCode = reader.int16()
    reader.tags()
    return { throttleTimeMs, errorCode, partitions }
  },
}
