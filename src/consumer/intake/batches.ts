import type { DecodeError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import { Work, type Tickets } from '../partition/work.js'
import type { Deliveries } from './deliveries.js'

/** One batch, which ends early at a record that is skipped or cannot be decoded. */
export class Batches implements Deliveries {
  readonly #partition: OwnedPartition
  readonly #most: number
  readonly #work: Work[] = []
  #tickets: number | number[] = -1
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
    this.#addTicket(ticket)
    this.#messages.push(message)
    this.#records.push(record)
    this.#sizeBytes += recordBytes
  }

  addFailed(ticket: number, raw: Message, record: ReceivedRecord, recordBytes: number, failure: DecodeError): void {
    this.gap()
    this.#work.push(new Work(this.#partition, ticket, [raw], [record], recordBytes, failure))
  }

  gap(): void {
    if (this.#records.length === 0) return
    const tickets: Tickets = this.#tickets
    this.#work.push(new Work(this.#partition, tickets, this.#messages, this.#records, this.#sizeBytes, null))
    this.#messages = []
    this.#records = []
    this.#sizeBytes = 0
  }

  end(): readonly Work[] {
    this.gap()
    return this.#work
  }

  /** The first alone says it all as long as they are consecutive. */
  #addTicket(ticket: number): void {
    const count = this.#records.length
    if (count === 0) this.#tickets = ticket
    else if (typeof this.#tickets !== 'number') this.#tickets.push(ticket)
    else if (ticket !== this.#tickets + count) {
      const first = this.#tickets
      this.#tickets = [...Array.from({ length: count }, (_, index) => first + index), ticket]
    }
  }
}
