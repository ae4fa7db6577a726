import type { Reader } from '../reader.js'
import { malformed } from '../wire-error.js'
import { nameById, readByTopic, writeByTopic, type ApiCodec } from './codec.js'

/** From this version on topics go by their ids; Kafka 4.1. */
const TOPIC_IDS_FROM = 10

export const offsetCommit: ApiCodec<'offsetCommit'> = {
  key: 8,
  min: 7,
  max: 10,
  flexibleFrom: 8,
  // By id only when the id of every topic is known.
  fit: ({ partitions }) => (partitions.every(({ topicId }) => topicId !== null) ? {} : { max: TOPIC_IDS_FROM - 1 }),
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
const REQUIRE_STABLE_FROM = 7
/** From this version on one request may ask for several groups, and so names each; Kafka 3.0. */
const GROUPS_FROM = 8
/** From this version on a member of KIP-848 says who it is; Kafka 3.7. */
const MEMBERS_FROM = 9

export const offsetFetch: ApiCodec<'offsetFetch'> = {
  key: 9,
  min: 5,
  max: 9,
  flexibleFrom: 6,
  fit: ({ requireStable }) => (requireStable ? { min: REQUIRE_STABLE_FROM } : {}),
  encode({ groupId, partitions, requireStable }, version, writer) {
    if (version >= GROUPS_FROM) writer.uvarint(2) // an array of one
    writer.string(groupId)
    if (version >= MEMBERS_FROM) {
      writer.nullableString(null) // member_id
      writer.int32(-1) // member_epoch
    }
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
    if (version >= GROUPS_FROM) writer.tags()
    if (version >= REQUIRE_STABLE_FROM) writer.boolean(requireStable)
    writer.tags()
  },
  decode(reader, version, _codecs, { groupId }) {
    const throttleTimeMs = reader.int32()
    if (version < GROUPS_FROM) {
      const answer = { throttleTimeMs, ...readCommitted(reader) }
      reader.tags()
      return answer
    }
    const groups = reader.array(() => {
      const group = { groupId: reader.string(), ...readCommitted(reader) }
      reader.tags()
      return group
    })
    reader.tags()
    const group = groups.find((each) => each.groupId === groupId)
    if (group === undefined) throw malformed('the answer does not have the group that was asked for')
    return { throttleTimeMs, errorCode: group.errorCode, partitions: group.partitions }
  },
}

function readCommitted(reader: Reader) {
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
  return { partitions, errorCode: reader.int16() }
}
