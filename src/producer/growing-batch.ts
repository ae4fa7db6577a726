import type { OutgoingBatch } from '../driver/producer.js'
import type { OutgoingRecord } from '../message/record.js'
import { GrowingRecords, recordBound } from '../wire/growing-records.js'
import type { ReceiptSink } from './receipt.js'
import { batchOverheadBytes, memoryBytes } from './record-size.js'

/** Records of one partition that are sent together and share one fate, with everyone who waits for them. */
export class GrowingBatch implements OutgoingBatch {
  readonly topic: string
  readonly partition: number
  /** When its oldest record was sent; the delivery deadline counts from here. */
  readonly firstSentAt: number
  readonly records: GrowingRecords
  readonly timestamps: number[] = []
  readonly sinks: ReceiptSink[] = []
  readonly slots: number[] = []
  /** Held in the buffer until the batch has ended. */
  memoryBytes = 0
  /** Takes no more records and does not linger: somebody waits for it. */
  sealed = false
  /** Called once all of its records have their outcome. */
  readonly onEnded: (() => void)[] = []

  /** @param roomBytes what its records will probably take. */
  constructor(topic: string, partition: number, firstSentAt: number, roomBytes: number) {
    this.topic = topic
    this.partition = partition
    this.firstSentAt = firstSentAt
    this.records = new GrowingRecords(roomBytes)
  }

  get sizeBytes(): number {
    return batchOverheadBytes + this.records.sizeBytes
  }

  /** @param bound the most that the record takes in the batch. */
  add(record: OutgoingRecord, bound: number, sink: ReceiptSink, slot: number): void {
    this.records.add(record, bound)
    this.timestamps.push(record.timestamp)
    this.sinks.push(sink)
    this.slots.push(slot)
    this.memoryBytes += memoryBytes(bound)
  }

  /** Two sealed batches in its place, the older records first. */
  split(): readonly [GrowingBatch, GrowingBatch] {
    const records = this.records.decode()
    const half = Math.ceil(records.length / 2)
    const older = this.#part(records, (index) => index < half)
    const newer = this.#part(records, (index) => index >= half)
    newer.onEnded.push(...this.onEnded)
    return [older, newer]
  }

  /** Those of its records that are told, and the others, which go on in its place. */
  without(told: ReadonlySet<number>): { readonly taken: GrowingBatch; readonly rest: GrowingBatch } {
    const records = this.records.decode()
    const rest = this.#part(records, (index) => !told.has(index))
    rest.onEnded.push(...this.onEnded)
    return { taken: this.#part(records, (index) => told.has(index)), rest }
  }

  #part(records: readonly OutgoingRecord[], takes: (index: number) => boolean): GrowingBatch {
    const part = new GrowingBatch(this.topic, this.partition, this.firstSentAt, this.records.sizeBytes)
    for (const [index, record] of records.entries()) {
      if (takes(index)) part.add(record, recordBound(record), this.sinks[index]!, this.slots[index]!)
    }
    part.sealed = true
    return part
  }
}
