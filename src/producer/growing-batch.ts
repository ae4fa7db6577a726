import type { OutgoingBatch } from '../driver/producer.js'
import type { OutgoingRecord } from '../message/record.js'
import type { ReceiptSink } from './receipt.js'
import { batchOverheadBytes, memoryBytes } from './record-size.js'

/** Records of one partition that are sent together and share one fate, with everyone who waits for them. */
export class GrowingBatch implements OutgoingBatch {
  readonly topic: string
  readonly partition: number
  /** When its oldest record was sent; the delivery deadline counts from here. */
  readonly firstSentAt: number
  readonly records: OutgoingRecord[] = []
  readonly sinks: ReceiptSink[] = []
  readonly slots: number[] = []
  sizeBytes = batchOverheadBytes
  /** Held in the buffer until the batch has ended. */
  memoryBytes = 0
  /** Takes no more records and does not linger: somebody waits for it. */
  sealed = false
  /** Called once all of its records have their outcome. */
  readonly onEnded: (() => void)[] = []

  constructor(topic: string, partition: number, firstSentAt: number) {
    this.topic = topic
    this.partition = partition
    this.firstSentAt = firstSentAt
  }

  add(record: OutgoingRecord, sizeBytes: number, sink: ReceiptSink, slot: number): void {
    this.records.push(record)
    this.sinks.push(sink)
    this.slots.push(slot)
    this.sizeBytes += sizeBytes
    this.memoryBytes += memoryBytes(sizeBytes)
  }

  /** Two sealed batches in its place, the older records first. */
  split(sizeOf: (record: OutgoingRecord) => number): readonly [GrowingBatch, GrowingBatch] {
    const half = Math.ceil(this.records.length / 2)
    const older = this.#part(0, half, sizeOf)
    const newer = this.#part(half, this.records.length, sizeOf)
    newer.onEnded.push(...this.onEnded)
    return [older, newer]
  }

  #part(from: number, to: number, sizeOf: (record: OutgoingRecord) => number): GrowingBatch {
    const part = new GrowingBatch(this.topic, this.partition, this.firstSentAt)
    for (let index = from; index < to; index += 1) {
      const record = this.records[index] as OutgoingRecord
      part.add(record, sizeOf(record), this.sinks[index] as ReceiptSink, this.slots[index] as number)
    }
    part.sealed = true
    return part
  }
}
