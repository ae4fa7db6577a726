import type { OffsetCommitRequest } from '../../connection/requests/offsets.js'
import { nameById, readByTopic, writeByTopic, type ApiCodec } from './codec.js'

/** From this version on topics go by their ids; Kafka 4.1. */
const TOPIC_IDS_FROM = 10

/** The newest version that can carry the request: by id only when the id of every topic is known. */
export function newestCommitFor({ partitions }: OffsetCommitRequest): number {
  return partitions.every(({ topicId }) => topicId !== null) ? TOPIC_IDS_FROM : TOPIC_IDS_FROM - 2
}

export const offsetCommit: ApiCodec<'offsetCommit'> = {
  key: 8,
  min: 7,
  max: 10,
  flexibleFrom: 8,
  encode({ groupId, generationId, memberId, groupInstanceId, partitions }, version, writer) {
    writer.string(groupId)
    writer.int32(generationId)
    writer.string(memberId)
    writer.nullableString(groupInstanceId)
    writeByTopic(
      writer,
      partitions,
      ({ partition, offset, leaderEpoch, metadata }) => {
        writer.int32(partition)
        writer.int64(offset)
        writer.int32(leaderEpoch)
        writer.nullableString(metadata)
        writer.tags()
      },
      ({ topic, topicId }) => (version >= TOPIC_IDS_FROM ? writer.uuid(topicId) : writer.string(topic)),
    )
    writer.tags()
  },
  decode(reader, version, _codecs, request) {
    const throttleTimeMs = reader.int32()
    const partitions = readByTopic(
      reader,
      (topic) => {
        const committed = { topic, partition: reader.int32(), errorCode: reader.int16() }
        reader.tags()
        return committed
      },
      () => (version >= TOPIC_IDS_FROM ? nameById(reader.uuid(), request.partitions) : reader.string()),
    )
    reader.tags()
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
