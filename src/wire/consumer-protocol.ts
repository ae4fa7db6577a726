import type { Assignment, Subscription } from '../connection/requests/groups.js'
import type { TopicPartition } from '../message/topic-partition.js'
import { readByTopic, writeByTopic } from './apis/codec.js'
import { Reader } from './reader.js'
import { Writer } from './writer.js'

/**
 * What members of a consumer group tell each other through the broker (ConsumerProtocolSubscription and -Assignment).
 * Versions only ever append fields, so a version newer than ours is read as the newest known.
 */
const NEWEST_KNOWN_VERSION = 3
const unknownGeneration = -1

export function encodeSubscription(subscription: Subscription): Buffer[] {
  const { topics, userData, ownedPartitions, generationId = unknownGeneration } = subscription
  const version = Math.min(subscription.version, NEWEST_KNOWN_VERSION)
  const writer = new Writer()
  writer.int16(version)
  writer.array(topics, (topic) => writer.string(topic))
  writer.nullableBytes(userData)
  if (version >= 1) writeByTopic(writer, ownedPartitions, ({ partition }) => writer.int32(partition))
  if (version >= 2) writer.int32(generationId)
  if (version >= 3) writer.nullableString(null) // rack_id
  return writer.finish()
}

const noSubscription: Subscription = { version: 0, topics: [], userData: null, ownedPartitions: [] }

/** No bytes at all is what a member sends that subscribes to nothing. */
export function decodeSubscription(bytes: Buffer | null): Subscription {
  if (bytes === null || bytes.length === 0) return noSubscription
  const reader = new Reader(bytes)
  const version = reader.int16()
  const topics = reader.array(() => reader.string())
  const userData = copy(reader.nullableBytes())
  // kafkajs says version 1 and leaves its field out.
  const hasOwned = version >= 1 && reader.remaining > 0
  const ownedPartitions = hasOwned ? readByTopic(reader, (topic) => readPartition(reader, topic)) : []
  const told = version >= 2 && reader.remaining > 0 ? reader.int32() : unknownGeneration
  const generationId = told === unknownGeneration ? undefined : told
  return { version, topics, userData, ownedPartitions, generationId }
}

export function encodeAssignment({ partitions, userData }: Assignment): Buffer[] {
  const writer = new Writer()
  writer.int16(0)
  writeByTopic(writer, partitions, ({ partition }) => writer.int32(partition))
  writer.nullableBytes(userData)
  return writer.finish()
}

const noAssignment: Assignment = { partitions: [], userData: null }

/** No bytes at all is what a member gets that its leader gave nothing. */
export function decodeAssignment(bytes: Buffer | null): Assignment {
  if (bytes === null || bytes.length === 0) return noAssignment
  const reader = new Reader(bytes)
  reader.int16() // version
  return {
    partitions: readByTopic(reader, (topic) => readPartition(reader, topic)),
    userData: copy(reader.nullableBytes()),
  }
}

function readPartition(reader: Reader, topic: string): TopicPartition {
  return { topic, partition: reader.int32() }
}

/** The bytes outlive the answer they came in. */
function copy(bytes: Buffer | null): Buffer | null {
  return bytes === null ? null : Buffer.from(bytes)
}
