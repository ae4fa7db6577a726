import { DecodeError, DriverError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { Topic } from '../../topic/topic.js'
import type { Backlog } from '../partition/backlog.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import { Work } from '../partition/work.js'
import { Batches } from './batches.js'
import type { ChangedValues } from './changed-values.js'
import { decode, mayLack, missingFor, rawMessage, type OnChanged } from './decode.js'
import type { Deliveries } from './deliveries.js'
import { Preparation, type PreparationParts } from './preparation.js'
import { Singles } from './singles.js'
import type { TopicLookup } from '../../topic/topic-lookup.js'

/** Where records go that are tracked from now on. */
export interface Received {
  readonly isFull: boolean
  readonly isEmpty: boolean
  add(ticket: number, record: ReceivedRecord, recordBytes: number): void
  /** The records before and after are not neighbours. */
  gap(): void
}

/** Turns the backlog into deliveries: each record is tracked, then decoded. What cannot be decoded goes on as failed. */
export class Intake {
  readonly #topics: TopicLookup
  readonly #batchMessages: number | null
  readonly #changed: ChangedValues
  readonly #preparing: PreparationParts

  /**
   * @param topics by the name that records come under: those of a delay topic are told as of the topic they came from
   * @param batchMessages most messages of one delivery; `null` delivers one message at a time
   */
  constructor(topics: TopicLookup, batchMessages: number | null, changed: ChangedValues, preparing: PreparationParts) {
    this.#topics = topics
    this.#batchMessages = batchMessages
    this.#changed = changed
    this.#preparing = preparing
  }

  preparationOf(partition: OwnedPartition): Preparation {
    return new Preparation(partition, this.#preparing)
  }

  /**
   * The next deliveries, in order of offset; none when the backlog has nothing to handle, or its next record has to wait
   * for what it is decoded with.
   *
   * @throws DriverError when the next bytes are no records
   */
  take(partition: OwnedPartition, backlog: Backlog, preparation: Preparation): readonly Work[] {
    const topic = this.#topics.get(partition.topic) as Topic
    const deliveries =
      this.#batchMessages === null ? new Singles(partition) : new Batches(partition, this.#batchMessages)
    try {
      const decoding = new Decoding(partition, topic, this.#changed.of(topic.name), deliveries)
      fill(decoding, partition, backlog, topic, preparation)
    } catch (cause) {
      // What was good before is handled first; the next call meets the bad batch again.
      if (deliveries.isEmpty) throw noRecords(partition, cause)
    }
    return deliveries.end()
  }

  /**
   * The next records as they are: tracked, not decoded.
   *
   * @throws DriverError when the next bytes are no records
   */
  receive(partition: OwnedPartition, backlog: Backlog, preparation: Preparation, received: Received): void {
    const topic = this.#topics.get(partition.topic) as Topic
    try {
      fill(received, partition, backlog, topic, preparation)
    } catch (cause) {
      if (received.isEmpty) throw noRecords(partition, cause)
    }
  }

  /** One record that was received, as a delivery. */
  single(partition: OwnedPartition, ticket: number, record: ReceivedRecord, recordBytes: number): Work {
    const topic = this.#topics.get(partition.topic) as Topic
    const decoded = decode(partition, topic, record, this.#changed.of(topic.name))
    return decoded instanceof DecodeError
      ? new Work(partition, ticket, rawMessage(partition, record), record, recordBytes, decoded)
      : new Work(partition, ticket, decoded, record, recordBytes, null)
  }

  /** The message that its delivery will be given, for who has to look at it before; `null` where it cannot be decoded. */
  messageOf(partition: OwnedPartition, record: ReceivedRecord): Message | null {
    const decoded = decode(partition, this.#topics.get(partition.topic) as Topic, record, toldLater)
    return decoded instanceof DecodeError ? null : decoded
  }

  /** The messages of a delivery made anew, since a handler may have changed those that it was given before. */
  again({ partition, messages, records }: Work): Message | readonly Message[] {
    const topic = this.#topics.get(partition.topic) as Topic
    const anew = (record: ReceivedRecord, given: Message) => {
      const decoded = decode(partition, topic, record, toldBefore)
      return decoded instanceof DecodeError ? given : decoded
    }
    if (!Array.isArray(records)) return anew(records as ReceivedRecord, messages as Message)
    return records.map((record: ReceivedRecord, index) =>
      anew(record, (messages as readonly Message[])[index] as Message),
    )
  }
}

const toldBefore = () => undefined
/** Its delivery tells. */
const toldLater = toldBefore

/** Makes deliveries of what comes. */
class Decoding implements Received {
  readonly #partition: OwnedPartition
  readonly #topic: Topic
  readonly #onChanged: OnChanged
  readonly #deliveries: Deliveries

  constructor(partition: OwnedPartition, topic: Topic, onChanged: OnChanged, deliveries: Deliveries) {
    this.#partition = partition
    this.#topic = topic
    this.#onChanged = onChanged
    this.#deliveries = deliveries
  }

  get isFull(): boolean {
    return this.#deliveries.isFull
  }

  get isEmpty(): boolean {
    return this.#deliveries.isEmpty
  }

  add(ticket: number, record: ReceivedRecord, recordBytes: number): void {
    const decoded = decode(this.#partition, this.#topic, record, this.#onChanged)
    if (decoded instanceof DecodeError) {
      this.#deliveries.addFailed(ticket, rawMessage(this.#partition, record), record, recordBytes, decoded)
    } else this.#deliveries.add(ticket, decoded, record, recordBytes)
  }

  gap(): void {
    this.#deliveries.gap()
  }
}

function fill(
  received: Received,
  { tracker }: OwnedPartition,
  backlog: Backlog,
  topic: Topic,
  preparation: Preparation,
): void {
  const waits = mayLack(topic)
  while (!received.isFull) {
    if (waits && lacksSomething(topic, backlog, preparation)) return
    const record = backlog.next()
    if (record === null) {
      const nextOffset = backlog.pass()
      if (nextOffset === null) return
      tracker.receivedUpTo(nextOffset)
      continue
    }
    const ticket = tracker.receive(record.offset)
    if (ticket === -1) received.gap()
    else received.add(ticket, record, backlog.recordBytes)
  }
}

function lacksSomething(topic: Topic, backlog: Backlog, preparation: Preparation): boolean {
  const record = backlog.peek()
  const missing = record === null ? null : missingFor(topic, record)
  if (record === null || missing === null) return false
  preparation.waitFor(missing, record.offset)
  return true
}

function noRecords({ topic, partition, tracker }: OwnedPartition, cause: unknown): DriverError {
  const problem = cause instanceof Error ? cause.message : String(cause)
  return new DriverError(
    'corrupt-record',
    `the records of ${topic}-${partition} from offset ${tracker.end} cannot be read (${problem}), although their ` +
      'checksum is right; seek past them and accept the loss, and look at what produced them',
    { topic, partition, offset: tracker.end, cause },
  )
}
