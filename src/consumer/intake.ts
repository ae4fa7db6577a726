import type { FetchedRecords } from '../driver/consumer.js'
import { DecodeError } from '../errors.js'
import { messageHeaders } from '../message/headers.js'
import type { Message } from '../message/message.js'
import type { ReceivedRecord } from '../message/record.js'
import type { Topic } from '../topic/topic.js'
import type { OwnedPartition } from './owned-partition.js'
import { Work } from './work.js'

/** Turns what was fetched into deliveries: each record is tracked, then decoded. What cannot be decoded goes on as failed. */
export class Intake {
  readonly #topics: ReadonlyMap<string, Topic>
  readonly #batchMessages: number | null

  /** @param batchMessages most messages of one delivery; `null` delivers one message at a time */
  constructor(topics: readonly Topic[], batchMessages: number | null) {
    this.#topics = new Map(topics.map((topic) => [topic.name, topic]))
    this.#batchMessages = batchMessages
  }

  /** Deliveries in order of offset. */
  take(partition: OwnedPartition, fetched: FetchedRecords): Work[] {
    const topic = this.#topics.get(fetched.topic) as Topic
    const recordBytes = fetched.records.length === 0 ? 0 : fetched.sizeBytes / fetched.records.length
    const work =
      this.#batchMessages === null
        ? takeSingles(partition, topic, fetched.records, recordBytes)
        : takeBatches(partition, topic, fetched.records, recordBytes, this.#batchMessages)
    partition.tracker.receivedUpTo(fetched.nextOffset)
    return work
  }
}

function takeSingles(
  partition: OwnedPartition,
  topic: Topic,
  records: readonly ReceivedRecord[],
  recordBytes: number,
): Work[] {
  const work: Work[] = []
  for (const record of records) {
    const ticket = partition.tracker.receive(record.offset)
    if (ticket === -1) continue
    const decoded = decode(partition, topic, record)
    work.push(
      decoded instanceof DecodeError
        ? new Work(partition, ticket, rawMessage(partition, record), record, recordBytes, decoded)
        : new Work(partition, ticket, decoded, record, recordBytes, null),
    )
  }
  return work
}

/** A batch ends where a record cannot be decoded or is skipped, because its records have consecutive tickets. */
function takeBatches(
  partition: OwnedPartition,
  topic: Topic,
  records: readonly ReceivedRecord[],
  recordBytes: number,
  batchMessages: number,
): Work[] {
  const work: Work[] = []
  let batch: Batch = { ticket: -1, messages: [], records: [] }
  const close = () => {
    const { ticket, messages, records: raw } = batch
    if (raw.length > 0) work.push(new Work(partition, ticket, messages, raw, recordBytes * raw.length, null))
    batch = { ticket: -1, messages: [], records: [] }
  }
  for (const record of records) {
    const ticket = partition.tracker.receive(record.offset)
    if (ticket === -1) {
      close()
      continue
    }
    const decoded = decode(partition, topic, record)
    if (decoded instanceof DecodeError) {
      close()
      work.push(new Work(partition, ticket, [rawMessage(partition, record)], [record], recordBytes, decoded))
      continue
    }
    if (batch.records.length === 0) batch.ticket = ticket
    batch.messages.push(decoded)
    batch.records.push(record)
    if (batch.records.length >= batchMessages) close()
  }
  close()
  return work
}

interface Batch {
  ticket: number
  messages: Message[]
  records: ReceivedRecord[]
}

function decode(partition: OwnedPartition, topic: Topic, record: ReceivedRecord): Message | DecodeError {
  let value: unknown
  try {
    value = topic.value.decode(record.value)
  } catch (cause) {
    return notDecoded(partition, record.offset, cause)
  }
  return {
    topic: partition.topic,
    partition: partition.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    key: record.key,
    value,
    headers: messageHeaders(record.headers),
  }
}

/** The bytes themselves as value, for what looks at failed records. */
function rawMessage(partition: OwnedPartition, record: ReceivedRecord): Message<Buffer | null> {
  const { offset, timestamp, key, value } = record
  const { topic, partition: number } = partition
  return { topic, partition: number, offset, timestamp, key, value, headers: messageHeaders(record.headers) }
}

function notDecoded({ topic, partition }: OwnedPartition, offset: number, cause: unknown): DecodeError {
  const refused = cause instanceof Error && 'kind' in cause && cause.kind === 'refused'
  const problem = cause instanceof Error ? cause.message : 'the serde threw something that is not an Error'
  return new DecodeError(
    refused ? 'invalid' : 'undecodable',
    `value of ${topic}-${partition} at offset ${offset} cannot be decoded: ${problem}`,
    { topic, partition, offset, cause },
  )
}
