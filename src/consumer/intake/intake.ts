import { DecodeError, DriverError } from '../../errors.js'
import { messageHeaders } from '../../message/headers.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import { isPromised } from '../../input/asynchronous.js'
import { SerdeError, type ValueIssue } from '../../serde/serde-error.js'
import type { Topic } from '../../topic/topic.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import { Work } from '../partition/work.js'
import type { ChangedValues } from './changed-values.js'

/** Single messages made in one go: enough to spread the cost, few enough to die young. */
const singlesAtOnce = 256

/** Turns the backlog into deliveries: each record is tracked, then decoded. What cannot be decoded goes on as failed. */
export class Intake {
  readonly #topics: ReadonlyMap<string, Topic>
  readonly #batchMessages: number | null
  readonly #changed: ChangedValues

  /** @param batchMessages most messages of one delivery; `null` delivers one message at a time */
  constructor(topics: readonly Topic[], batchMessages: number | null, changed: ChangedValues) {
    this.#topics = new Map(topics.map((topic) => [topic.name, topic]))
    this.#batchMessages = batchMessages
    this.#changed = changed
  }

  /**
   * The next deliveries, in order of offset; none when the backlog has nothing to handle.
   *
   * @throws DriverError when the next bytes are no records
   */
  take(partition: OwnedPartition): readonly Work[] {
    const topic = this.#topics.get(partition.topic) as Topic
    const deliveries =
      this.#batchMessages === null ? new Singles(partition) : new Batches(partition, this.#batchMessages)
    try {
      fill(deliveries, partition, topic, this.#changed.of(topic.name))
    } catch (cause) {
      // What was good before is handled first; the next call meets the bad batch again.
      if (deliveries.isEmpty) throw noRecords(partition, cause)
    }
    return deliveries.end()
  }
}

/** Collects deliveries until there is enough. */
interface Deliveries {
  readonly isFull: boolean
  readonly isEmpty: boolean
  add(ticket: number, message: Message, record: ReceivedRecord, recordBytes: number): void
  addFailed(ticket: number, record: ReceivedRecord, recordBytes: number, failure: DecodeError): void
  /** The records before and after are not neighbours. */
  gap(): void
  end(): readonly Work[]
}

type OnChanged = (issue: ValueIssue) => void

function fill(deliveries: Deliveries, partition: OwnedPartition, topic: Topic, onChanged: OnChanged): void {
  const { backlog, tracker } = partition
  while (!deliveries.isFull) {
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
    const decoded = decode(partition, topic, record, onChanged)
    if (decoded instanceof DecodeError) deliveries.addFailed(ticket, record, backlog.recordBytes, decoded)
    else deliveries.add(ticket, decoded, record, backlog.recordBytes)
  }
}

class Singles implements Deliveries {
  readonly #partition: OwnedPartition
  readonly #work: Work[] = []

  constructor(partition: OwnedPartition) {
    this.#partition = partition
  }

  get isFull(): boolean {
    return this.#work.length >= singlesAtOnce
  }

  get isEmpty(): boolean {
    return this.#work.length === 0
  }

  add(ticket: number, message: Message, record: ReceivedRecord, recordBytes: number): void {
    this.#work.push(new Work(this.#partition, ticket, message, record, recordBytes, null))
  }

  addFailed(ticket: number, record: ReceivedRecord, recordBytes: number, failure: DecodeError): void {
    this.#work.push(
      new Work(this.#partition, ticket, rawMessage(this.#partition, record), record, recordBytes, failure),
    )
  }

  gap(): void {
    // Each stands alone.
  }

  end(): readonly Work[] {
    return this.#work
  }
}

/** One batch, which ends early at a record that is skipped or cannot be decoded: its records have consecutive tickets. */
class Batches implements Deliveries {
  readonly #partition: OwnedPartition
  readonly #most: number
  readonly #work: Work[] = []
  #ticket = -1
  #messages: Message[] = []
  #records: ReceivedRecord[] = []
  #sizeBytes = 0

  constructor(partition: OwnedPartition, most: number) {
    this.#partition = partition
    this.#most = most
  }

  get isFull(): boolean {
    return this.#work.length > 0 || this.#records.length >= this.#most
  }

  get isEmpty(): boolean {
    return this.#work.length === 0 && this.#records.length === 0
  }

  add(ticket: number, message: Message, record: ReceivedRecord, recordBytes: number): void {
    if (this.#records.length === 0) this.#ticket = ticket
    this.#messages.push(message)
    this.#records.push(record)
    this.#sizeBytes += recordBytes
  }

  addFailed(ticket: number, record: ReceivedRecord, recordBytes: number, failure: DecodeError): void {
    this.gap()
    const messages = [rawMessage(this.#partition, record)]
    this.#work.push(new Work(this.#partition, ticket, messages, [record], recordBytes, failure))
  }

  gap(): void {
    if (this.#records.length === 0) return
    this.#work.push(new Work(this.#partition, this.#ticket, this.#messages, this.#records, this.#sizeBytes, null))
    this.#messages = []
    this.#records = []
    this.#sizeBytes = 0
  }

  end(): readonly Work[] {
    this.gap()
    return this.#work
  }
}

function decode(
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
  const refused = cause instanceof SerdeError && cause.kind === 'refused'
  // Another's text may quote the value; it stays in `cause`, for those who hold the error.
  const problem = cause instanceof SerdeError ? cause.message : `its serde threw ${nameOf(cause)}`
  return new DecodeError(
    refused ? 'invalid' : 'undecodable',
    `value of ${topic}-${partition} at offset ${offset} cannot be decoded: ${problem}`,
    { topic, partition, offset, cause },
  )
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : `a ${typeof thrown}`
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
