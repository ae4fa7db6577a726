import { DecodeError, DriverError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { Reading } from '../../serde/serde.js'
import type { Topic } from '../../topic/topic.js'
import type { Backlog } from '../partition/backlog.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Work } from '../partition/work.js'
import { Batches } from './batches.js'
import type { ChangedValues } from './changed-values.js'
import { decode, missingFor, rawMessage, type OnChanged } from './decode.js'
import type { Deliveries } from './deliveries.js'
import { Preparation, type PreparationParts } from './preparation.js'
import { Singles } from './singles.js'

/** Turns the backlog into deliveries: each record is tracked, then decoded. What cannot be decoded goes on as failed. */
export class Intake {
  readonly #topics: ReadonlyMap<string, Topic>
  readonly #batchMessages: number | null
  readonly #changed: ChangedValues
  readonly #preparing: PreparationParts

  /**
   * @param topics by the name that records come under: those of a delay topic are told as of the topic they came from
   * @param batchMessages most messages of one delivery; `null` delivers one message at a time
   */
  constructor(
    topics: ReadonlyMap<string, Topic>,
    batchMessages: number | null,
    changed: ChangedValues,
    preparing: PreparationParts,
  ) {
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
      fill(deliveries, partition, backlog, { topic, preparation, onChanged: this.#changed.of(topic.name) })
    } catch (cause) {
      // What was good before is handled first; the next call meets the bad batch again.
      if (deliveries.isEmpty) throw noRecords(partition, cause)
    }
    return deliveries.end()
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

interface Decoding {
  readonly topic: Topic
  readonly preparation: Preparation
  readonly onChanged: OnChanged
}

function fill(deliveries: Deliveries, partition: OwnedPartition, backlog: Backlog, decoding: Decoding): void {
  const { topic, preparation, onChanged } = decoding
  const { tracker } = partition
  const { reading } = topic.value
  while (!deliveries.isFull) {
    if (reading !== undefined && lacksSomething(reading, backlog, preparation)) return
    const record = backlog.next()
    if (record === null) {
      const nextOffset = backlog.pass()
      if (nextOffset === null) return
      tracker.receivedUpTo(nextOffset)
      continue
    }
    const ticket = tracker.receive(record.offset)
    if (ticket === -1) {
      deliveries.gap()
      continue
    }
    const { recordBytes } = backlog
    const decoded = decode(partition, topic, record, onChanged)
    if (decoded instanceof DecodeError) {
      deliveries.addFailed(ticket, rawMessage(partition, record), record, recordBytes, decoded)
    } else deliveries.add(ticket, decoded, record, recordBytes)
  }
}

function lacksSomething(reading: Reading, backlog: Backlog, preparation: Preparation): boolean {
  const record = backlog.peek()
  const missing = record === null ? null : missingFor(reading, record)
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
