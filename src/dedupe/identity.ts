import { TidemarkError } from '../errors.js'
import { came } from '../input/came.js'
import { tdHeader } from '../message/headers.js'
import type { Message } from '../message/message.js'
import type { ReceivedRecord } from '../message/record.js'
import { murmur2 } from '../topic/murmur2.js'
import { isHandedOn } from '../topic/own-headers.js'

/** Names what a message is, beyond its topic; `undefined` leaves it to the default. */
export type IdentityOf = (message: Message) => string | undefined

/**
 * What tells a repeat from another record. A repeat of any kind has the identity of the first:
 *
 * | a record                                          | is the same when the topic is, and |
 * |---------------------------------------------------|-------------------------------------|
 * | with an `id` of its sender                        | the id is |
 * | read again after a crash, or by another member    | partition, offset, timestamp and bytes are |
 * | that was sent back, delayed, or is a dead letter  | those of its origin are |
 *
 * The timestamp and the bytes tell a topic that was made anew, or a log that was cut, from what stood at the same offset
 * before: offsets begin again, and records that were sent in the same millisecond differ. The topic is that of the origin too.
 *
 * @param record the same as bytes
 */
export function identityOf(message: Message, record: Bytes, chosen?: IdentityOf): string {
  const given = chosen?.(message)
  if (given !== undefined && (typeof given !== 'string' || given === '')) throw noIdentity(given)
  const { headers } = message
  const origin = headers.has(tdHeader.originTopic) ? originOf(message) : null
  const topic = origin?.topic ?? message.topic
  if (given !== undefined) return `${topic} own:${given}`
  if (message.id !== undefined) return `${topic} id:${message.id}`
  const { partition, offset } = origin ?? message
  return `${topic} at:${partition}/${offset}@${message.timestamp}#${hashOf(record)}`
}

type Bytes = Pick<ReceivedRecord, 'key' | 'value'>

/** Not against malice: it tells records of the same place and millisecond apart. */
function hashOf({ key, value }: Bytes): string {
  const ofValue = value === null ? 0 : murmur2(value) >>> 0
  return key === null ? ofValue.toString(36) : `${ofValue.toString(36)}.${(murmur2(key) >>> 0).toString(36)}`
}

interface Place {
  readonly topic: string
  readonly partition: string | number
  readonly offset: string | number
}

/**
 * Only of what says that it is the same record in another place. Headers that were handed on with another record tell where
 * that one came from, and several may come from one.
 */
function originOf({ topic: own, headers }: Message): Place | null {
  const topic = headers.get(tdHeader.originTopic)
  const partition = headers.get(tdHeader.originPartition)
  const offset = headers.get(tdHeader.originOffset)
  if (topic === undefined || partition === undefined || offset === undefined) return null
  return isHandedOn(own, [...headers]) ? null : { topic, partition, offset }
}

function noIdentity(given: unknown): TidemarkError {
  return new TidemarkError(
    'invalid-identity',
    `identity of dedupe ${came(given)}; return a text that is not empty, or undefined for the default`,
  )
}
