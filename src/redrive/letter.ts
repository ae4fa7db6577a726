import { tdHeader } from '../message/headers.js'
import type { Message, MessageHeaders } from '../message/message.js'
import type { TopicPartition } from '../message/topic-partition.js'
import { toldBy, type LetterFailure, type LetterOrigin, type LetterWriter } from './letter-formats.js'

/** Where a record stands. */
export interface RecordPlace extends TopicPartition {
  readonly offset: number
}

/** A record of a dead-letter topic, as far as its headers tell what it is. Headers are data from outside: they may lie. */
export interface Letter extends TopicPartition, LetterFailure {
  readonly offset: number
  readonly key: Buffer | null
  /** `null` also where `isPointer`. */
  readonly value: Buffer | null
  readonly headers: MessageHeaders
  readonly writer: LetterWriter
  /** Where the record first came from; `null` when no header tells. */
  readonly origin: LetterOrigin | null
  /** How often it was redriven (`td-hop`). */
  readonly hops: number
  /** It was too large for its topic: value and headers are left at its origin. */
  readonly isPointer: boolean
  /** Where a pointer's record was read last, if that is not its origin. */
  readonly leftAt: RecordPlace | null
  /** Names this letter for ever (`td-redrive-id`): of two records with the same one the second is a repeat. */
  readonly redriveId: string
}

export function letterOf(message: Message<Buffer | null>): Letter {
  const { topic, partition, offset, timestamp, key, value, headers } = message
  const { writer, origin, failure } = toldBy([...headers], timestamp)
  return {
    topic,
    partition,
    offset,
    key,
    value,
    headers,
    writer,
    origin,
    ...failure,
    hops: origin?.topic === headers.get(tdHeader.originTopic) ? hopsOf(headers) : 0,
    isPointer: headers.get(tdHeader.left) === 'value',
    leftAt: placeOf(headers.get(tdHeader.leftAt)),
    // The time tells letters of a topic that was made anew from those of the former one.
    redriveId: `${topic}-${partition}@${offset}.${timestamp}`,
  }
}

function placeOf(text: string | undefined): RecordPlace | null {
  const [, topic, partition, offset] = /^([a-zA-Z0-9._-]+)-(\d{1,9})@(\d{1,15})$/.exec(text ?? '') ?? []
  return topic === undefined ? null : { topic, partition: Number(partition), offset: Number(offset) }
}

function hopsOf(headers: MessageHeaders): number {
  const text = headers.get(tdHeader.hop)
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : 0
}
