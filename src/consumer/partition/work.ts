import type { DecodeError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import type { ReceivedRecord } from '../../message/record.js'
import type { LaneTask } from '../../runtime/lane-group.js'
import type { EventOrder, InOrder } from './event-order.js'
import type { OwnedPartition } from './owned-partition.js'
import type { Trouble } from './trouble.js'

/** The first of consecutive tickets of the tracker; each of them where a stage has changed the order. */
export type Tickets = number | readonly number[]

/** One delivery: a message, or a batch of one partition, from its receipt until it is settled. */
export class Work implements LaneTask<Work> {
  next: Work | null = null
  hasPlace = false
  lane: object | null = null
  /** Of this consumer; 1 for the first. */
  attempt = 1
  /** `null` while no attempt of this consumer failed. */
  trouble: Trouble | null = null
  /** Of each message, where an order of event time handed them out. */
  inOrder: readonly InOrder[] | InOrder | null = null
  /** The batch that it was part of, and in whose place of its lane it is tried. */
  #batch: Work | null = null

  constructor(
    readonly partition: OwnedPartition,
    readonly tickets: Tickets,
    /** Never empty. A message that cannot be decoded comes alone, with its bytes as value. */
    readonly messages: readonly Message[] | Message,
    /** The same records as bytes. */
    readonly records: readonly ReceivedRecord[] | ReceivedRecord,
    readonly sizeBytes: number,
    readonly failure: DecodeError | null,
  ) {}

  get count(): number {
    return Array.isArray(this.records) ? this.records.length : 1
  }

  get firstRecord(): ReceivedRecord {
    return Array.isArray(this.records) ? (this.records[0] as ReceivedRecord) : (this.records as ReceivedRecord)
  }

  /** Of its first message. */
  get eventOrder(): EventOrder | null {
    const { inOrder } = this
    if (inOrder === null) return null
    return (Array.isArray(inOrder) ? (inOrder[0] as InOrder) : (inOrder as InOrder)).eventOrder()
  }

  /** What stands in the lane for it. */
  get inLane(): Work {
    return this.#batch ?? this
  }

  /** Whether a handler may have been given these messages before. */
  get wasGiven(): boolean {
    return this.trouble !== null || this.#batch !== null
  }

  /** Its handling begins: from now on it may have effects. */
  start(): void {
    const { tracker } = this.partition
    if (typeof this.tickets === 'number') tracker.start(this.tickets, this.count)
    else for (const ticket of this.tickets) tracker.start(ticket)
  }

  /** Its handling has ended for good. */
  settle(): void {
    const { tracker, inflow } = this.partition
    if (typeof this.tickets === 'number') tracker.settle(this.tickets, this.count)
    else for (const ticket of this.tickets) tracker.settle(ticket)
    inflow.settled(this.count, this.sizeBytes, this.inOrder)
  }

  /** A batch in two, neither of them empty: its first records, and the rest. Both stand in its place of the lane. */
  cut(at: number): [Work, Work] {
    return [this.#part(0, at), this.#part(at, this.count)]
  }

  /** A batch in two, neither of them empty: those of its records, and the rest, which goes on with the attempts so far. */
  divide(indexes: readonly number[]): [Work, Work] {
    const chosen = new Set(indexes)
    const rest = Array.from({ length: this.count }, (_, index) => index).filter((index) => !chosen.has(index))
    const others = this.#pick(rest)
    others.attempt = this.attempt
    others.trouble = this.trouble
    return [this.#pick(indexes), others]
  }

  #pick(indexes: readonly number[]): Work {
    const { tickets } = this
    const part = new Work(
      this.partition,
      indexes.map((index) => (typeof tickets === 'number' ? tickets + index : (tickets[index] as number))),
      indexes.map((index) => (this.messages as readonly Message[])[index] as Message),
      indexes.map((index) => (this.records as readonly ReceivedRecord[])[index] as ReceivedRecord),
      (this.sizeBytes / this.count) * indexes.length,
      this.failure,
    )
    part.#batch = this.inLane
    const { inOrder } = this
    if (inOrder !== null) part.inOrder = indexes.map((index) => (inOrder as readonly InOrder[])[index] as InOrder)
    return part
  }

  #part(from: number, to: number): Work {
    const { tickets } = this
    const part = new Work(
      this.partition,
      typeof tickets === 'number' ? tickets + from : tickets.slice(from, to),
      (this.messages as readonly Message[]).slice(from, to),
      (this.records as readonly ReceivedRecord[]).slice(from, to),
      (this.sizeBytes / this.count) * (to - from),
      this.failure,
    )
    part.#batch = this.inLane
    part.inOrder = this.#inOrder(from, to)
    return part
  }

  /** The same records, each as a batch of its own and as another attempt. */
  split(): Work[] {
    const messages = this.messages as readonly Message[]
    const records = this.records as readonly ReceivedRecord[]
    const { tickets } = this
    return records.map((record, index) => {
      const sizeBytes = this.sizeBytes / records.length
      const single = new Work(
        this.partition,
        typeof tickets === 'number' ? tickets + index : (tickets[index] as number),
        [messages[index] as Message],
        [record],
        sizeBytes,
        this.failure,
      )
      single.attempt = this.attempt + 1
      single.trouble = this.trouble === null ? null : { ...this.trouble, aloneFrom: null }
      single.#batch = this.inLane
      single.inOrder = this.#inOrder(index, index + 1)
      return single
    })
  }

  #inOrder(from: number, to: number): readonly InOrder[] | null {
    return this.inOrder === null ? null : (this.inOrder as readonly InOrder[]).slice(from, to)
  }
}
