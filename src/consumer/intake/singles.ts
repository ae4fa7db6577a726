import type { DecodeError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import { Work } from '../partition/work.js'
import type { Deliveries } from './deliveries.js'

/** Single messages made in one go: enough to spread the cost, few enough to die young. */
const atOnce = 32

/** Each message is a delivery of its own. */
export class Singles implements Deliveries {
  readonly #partition: OwnedPartition
  readonly #work: Work[] = []

  constructor(partition: OwnedPartition) {
    this.#partition = partition
  }

  get isFull(): boolean {
    return this.#work.length >= atOnce
  }

  get isEmpty(): boolean {
    return this.#work.length === 0
  }

  add(ticket: number, message: Message, record: ReceivedRecord, recordBytes: number): void {
    this.#work.push(new Work(this.#partition, ticket, message, record, recordBytes, null))
  }

  addFailed(ticket: number, raw: Message, record: ReceivedRecord, recordBytes: number, failure: DecodeError): void {
    this.#work.push(new Work(this.#partition, ticket, raw, record, recordBytes, failure))
  }

  gap(): void {
    // Each stands alone.
  }

  end(): readonly Work[] {
    return this.#work
  }
}
