import { DecodeError } from '../../errors.js'
import { isPromised } from '../../input/asynchronous.js'
import { messageHeaders, originTimestamp, senderId, tdHeader } from '../../message/headers.js'
import { headerNumber } from '../../message/origin.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import { thrownName } from '../../runtime/thrown.js'
import type { Missing, Reading } from '../../serde/serde.js'
import { SerdeError, type ValueIssue } from '../../serde/serde-error.js'
import { isHandedOn } from '../../topic/own-headers.js'
import type { Topic } from '../../topic/topic.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

/** Told of a value that is not read as it was written. */
export type OnChanged = (issue: ValueIssue) => void

export function decode(
  partition: OwnedPartition,
  topic: Topic,
  record: ReceivedRecord,
  onChanged: OnChanged,
): Message | DecodeError {
  let value: unknown
  try {
    value = topic.value.decode(record.value, onChanged)
    if (isPromised(value))
      throw new SerdeError('refused', 'its serde answers with a promise; decode must return the value')
  } catch (cause) {
    return notDecoded(partition, record.offset, cause)
  }
  return {
    topic: topic.name,
    partition: partition.partition,
    offset: topic.name === partition.topic ? record.offset : offsetInSource(record),
    timestamp: timeOf(partition.topic, record),
    key: record.key,
    id: senderId(record.headers),
    value,
    headers: messageHeaders(record.headers),
  }
}

/** Is there anything that its serdes may have to fetch? */
export function mayLack({ value, keySerde }: Topic): boolean {
  return value.reading !== undefined || keySerde?.reading !== undefined
}

/** What its value, or else its key, is decoded with and is not there yet. */
export function missingFor({ value, keySerde }: Topic, record: ReceivedRecord): Missing | null {
  return missingIn(value.reading, record.value) ?? missingIn(keySerde?.reading, record.key)
}

/** `null` too when it cannot say: then `decode` tells what is wrong. */
function missingIn(reading: Reading | undefined, bytes: Buffer | null): Missing | null {
  if (reading === undefined) return null
  try {
    return reading.missing(bytes)
  } catch {
    return null
  }
}

/** The bytes themselves as value, for what looks at failed records. */
export function rawMessage(partition: OwnedPartition, record: ReceivedRecord): Message<Buffer | null> {
  const { offset, key, value } = record
  const { topic, partition: number } = partition
  const timestamp = timeOf(topic, record)
  const id = senderId(record.headers)
  return { topic, partition: number, offset, timestamp, key, id, value, headers: messageHeaders(record.headers) }
}

/** What comes back from a delay topic is told as it was; its partition there has the same number. */
function offsetInSource({ offset, headers }: ReceivedRecord): number {
  return headerNumber(headers, tdHeader.retryOffset) ?? offset
}

/** What comes back by way of a dead-letter or delay topic keeps the time of its origin; it was only stored later. */
export function timeOf(topic: string, { timestamp, headers }: Pick<ReceivedRecord, 'timestamp' | 'headers'>): number {
  const time = headers.length === 0 ? undefined : originTimestamp(headers)
  return time === undefined || isHandedOn(topic, headers) ? timestamp : time
}

function notDecoded({ topic, partition }: OwnedPartition, offset: number, cause: unknown): DecodeError {
  const refused = cause instanceof SerdeError && cause.kind === 'refused'
  // Another's text may quote the value; it stays in `cause`, for those who hold the error.
  const problem = cause instanceof SerdeError ? cause.message : `its serde threw ${thrownName(cause)}`
  return new DecodeError(
    refused ? 'invalid' : 'undecodable',
    `value of ${topic}-${partition} at offset ${offset} cannot be decoded: ${problem}`,
    { topic, partition, offset, cause },
  )
}
