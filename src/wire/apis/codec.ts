import type { Apis, ApiName } from '../../connection/requests/apis.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { CodecRegistry } from '../compression.js'
import type { Reader } from '../reader.js'
import type { EncodedBatch } from '../record-batch-encoder.js'
import { malformed } from '../wire-error.js'
import type { Writer } from '../writer.js'

/** What an encoder may need beside the request. */
interface EncodeContext {
  /** Bytes of the request's record batches, in order; filled for `produce` only. */
  readonly batches: readonly EncodedBatch[]
}

/** The versions of one API that a broker offers, or that can carry a request. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

/** Bytes of one API, in the versions `min` to `max`. */
export interface ApiCodec<Name extends ApiName> {
  readonly key: number
  readonly min: number
  readonly max: number
  /** First version with compact types and tagged fields, also beyond `max`. */
  readonly flexibleFrom: number
  /** The header of its answers never has tagged fields: whoever reads it may not know the version yet. */
  readonly plainAnswerHeader?: true
  /** The first Kafka that has it, when that is not 2.4. */
  readonly since?: string
  /** The oldest and the newest version that can carry what the request asks for. Missing: all can. */
  readonly fit?: (request: Apis[Name]['request']) => Partial<VersionRange>
  encode(request: Apis[Name]['request'], version: number, writer: Writer, context: EncodeContext): void
  decode(
    reader: Reader,
    version: number,
    codecs: CodecRegistry,
    request: Apis[Name]['request'],
  ): Apis[Name]['answer'] | Promise<Apis[Name]['answer']>
}

/**
 * Kafka lists partitions under their topic; writes flat ones so, topics in order of first appearance.
 *
 * @param writeTopic what names the topic, from one of its items.
 */
export function writeByTopic<Item extends TopicPartition>(
  writer: Writer,
  items: readonly Item[],
  write: (item: Item) => void,
  writeTopic: (item: Item) => void = ({ topic }) => writer.string(topic),
): void {
  const byTopic = new Map<string, Item[]>()
  for (const item of items) {
    const known = byTopic.get(item.topic)
    if (known) known.push(item)
    else byTopic.set(item.topic, [item])
  }
  writer.array([...byTopic.values()], (ofTopic) => {
    writeTopic(ofTopic[0]!)
    writer.array(ofTopic, write)
    writer.tags()
  })
}

/** The reverse: `read` gets the topic and reads one partition. */
export function readByTopic<Item>(
  reader: Reader,
  read: (topic: string) => Item,
  readTopic: () => string = () => reader.string(),
): Item[] {
  const topics = reader.array(() => {
    const topic = readTopic()
    const items = reader.array(() => read(topic))
    reader.tags()
    return items
  })
  return topics.flat()
}

/** Versions that name topics by id alone answer so; what was asked for has the names. */
export function nameById(
  topicId: string | null,
  asked: readonly { readonly topic: string; readonly topicId: string | null }[],
): string {
  const found = asked.find((each) => each.topicId === topicId)
  if (found === undefined) throw malformed(`the answer has a topic that was not asked for (id ${topicId})`)
  return found.topic
}
