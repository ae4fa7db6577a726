import type { FetchAnswer, FetchedPartition, FetchPartition, FetchRequest } from '../../connection/requests/fetch.js'
import type { Broker, LeaderHint } from '../../connection/requests/metadata.js'
import type { CodecRegistry } from '../compression.js'
import type { Reader } from '../reader.js'
import { decodeRecordBatches, type DecodedBatches } from '../record-batch-decoder.js'
import { nameById, readByTopic, writeByTopic, type ApiCodec } from './codec.js'
import { readEndpoints, readLeaderHint } from './leader-hints.js'

/** A request that stands alone. */
const NO_SESSION = { id: 0, epoch: -1, forgotten: [] } as const

/** From this version on topics go by their ids, so that no other topic of the same name is read; Kafka 3.1. */
const TOPIC_IDS_FROM = 13

/** From this version on who asks is a tagged field, which is left out by consumers. */
const NO_REPLICA_ID_FROM = 15

/** Tagged fields: of a partition from version 12 on, filled since Kafka 3.7; of the answer from version 16 on. */
const CURRENT_LEADER = 1
const NODE_ENDPOINTS = 0

export const fetch: ApiCodec<'fetch'> = {
  key: 1,
  min: 11,
  max: 16,
  flexibleFrom: 12,
  // By id only when the id of every topic is known.
  fit: ({ partitions, session }) =>
    (session?.isById ?? partitions.every(({ topicId }) => topicId !== null)) ? {} : { max: TOPIC_IDS_FROM - 1 },
  encode({ maxWaitMs, minBytes, maxBytes, isolation, rackId = '', partitions, session }, version, writer) {
    const { id, epoch, forgotten } = session ?? NO_SESSION
    const writeTopic = ({ topic, topicId }: FetchPartition) =>
      version >= TOPIC_IDS_FROM ? writer.uuid(topicId) : writer.string(topic)
    if (version < NO_REPLICA_ID_FROM) writer.int32(-1) // replica_id: a consumer
    writer.int32(maxWaitMs)
    writer.int32(minBytes)
    writer.int32(maxBytes)
    writer.int8(isolation === 'read-committed' ? 1 : 0)
    writer.int32(id)
    writer.int32(epoch)
    writeByTopic(
      writer,
      partitions,
      ({ partition, currentLeaderEpoch, fetchOffset, partitionMaxBytes }) => {
        writer.int32(partition)
        writer.int32(currentLeaderEpoch)
        writer.int64(fetchOffset)
        if (version >= 12) writer.int32(-1) // last_fetched_epoch: OffsetForLeaderEpoch has been asked instead
        writer.int64(-1) // log_start_offset: for followers
        writer.int32(partitionMaxBytes)
        writer.tags()
      },
      writeTopic,
    )
    writeByTopic(writer, forgotten, ({ partition }) => writer.int32(partition), writeTopic)
    writer.string(rackId)
    writer.tags()
  },
  decode(reader, version, codecs, request) {
    const throttleTimeMs = reader.int32()
    const errorCode = reader.int16()
    const sessionId = reader.int32()
    let nodeEndpoints: readonly Broker[] | undefined
    const partitions = readByTopic(
      reader,
      (topic) => readPartition(reader, topic, codecs),
      () => (version >= TOPIC_IDS_FROM ? nameOf(reader.uuid(), request) : reader.string()),
    )
    reader.tags({ [NODE_ENDPOINTS]: () => void (nodeEndpoints = readEndpoints(reader)) })
    return whenAll(partitions, (whole): FetchAnswer => ({
      throttleTimeMs,
      errorCode,
      sessionId,
      partitions: whole,
      nodeEndpoints,
    }))
  },
}

/** Answers may be of any topic of their session, also when the request did not name it. */
function nameOf(topicId: string | null, { partitions, session }: FetchRequest): string {
  const name = topicId === null ? undefined : session?.topicOf(topicId)
  return name ?? nameById(topicId, partitions)
}

function readPartition(
  reader: Reader,
  topic: string,
  codecs: CodecRegistry,
): FetchedPartition | Promise<FetchedPartition> {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  const logStartOffset = reader.int64()
  const abortedTransactions = reader.array(() => {
    const aborted = { producerId: reader.int64(), firstOffset: reader.int64() }
    reader.tags()
    return aborted
  })
  const preferredReadReplica = reader.int32()
  const bytes = ownBytes(reader.nullableBytes(), reader.size)
  let currentLeader: LeaderHint | undefined
  reader.tags({ [CURRENT_LEADER]: () => void (currentLeader = readLeaderHint(reader)) })
  const complete = ({ batches, unreadable }: DecodedBatches): FetchedPartition => ({
    topic,
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions,
    preferredReadReplica,
    batches,
    unreadable,
    sizeBytes: bytes?.length ?? 0,
    currentLeader,
  })
  const decoded = decodeRecordBatches(bytes, codecs)
  return decoded instanceof Promise ? decoded.then(complete) : complete(decoded)
}

/** Most bytes that one byte of a record which waits may keep in memory. */
const pinnedBytesPerByte = 10

/** A view, unless it is a small part of the answer: records that wait would keep all the others' bytes in memory too. */
function ownBytes(part: Buffer | null, answerBytes: number): Buffer | null {
  if (part === null || part.length * pinnedBytesPerByte >= answerBytes) return part
  const own = Buffer.allocUnsafeSlow(part.length)
  part.copy(own)
  return own
}

/** Stays synchronous, and so cheap, while nothing is a promise. */
function whenAll<Item, Result>(
  items: readonly (Item | Promise<Item>)[],
  make: (items: Item[]) => Result,
): Result | Promise<Result> {
  if (items.some((item) => item instanceof Promise)) return Promise.all(items).then(make)
  return make(items as Item[])
}
