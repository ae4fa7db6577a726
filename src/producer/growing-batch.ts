import type { OutgoingBatch } from '../driver/producer.js'
import type { OutgoingRecord } from '../message/record.js'
import { GrowingRecords, recordBound } from '../wire/growing-records.js'
import type { ReceiptSink, TakenBack } from './receipt.js'
import { batchOverheadBytes, memoryBytes } from './record-size.js'

/** Called when the record at `index` is wanted back. */
export type TakeBack = (batch: GrowingBatch, index: number) => TakenBack

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
  /** Held beside it while it is with the driver: its records as they are sent, compressed. */
  packedBytes = 0
  /** Takes no more records and does not linger: somebody waits for it. */
  sealed = false
  /** Called once all of its records have their outcome. */
  readonly onEnded: (() => void)[] = []
  /** Records that were taken back: they are left out before it is sent (again), and their sinks were told. */
  readonly takenBack = new Set<number>()
  /** Recalled from the driver, and not here yet. */
  isComingBack = false
  readonly #takeBack: TakeBack

  /** @param roomBytes what its records will probably take. */
  constructor(topic: string, partition: number, firstSentAt: number, roomBytes: number, takeBack: TakeBack) {
    this.topic = topic
    this.partition = partition
    this.firstSentAt = firstSentAt
    this.records = new GrowingRecords(roomBytes)
    this.#takeBack = takeBack
  }

  get sizeBytes(): number {
    return batchOverheadBytes + this.records.sizeBytes
  }

  /** @param bound the most that the record takes in the batch. */
  add(record: OutgoingRecord, bound: number, sink: ReceiptSink, slot: number): void {
    this.records.add(record)
    this.timestamps.push(record.timestamp)
    this.sinks.push(sink)
    this.slots.push(slot)
    this.memoryBytes += memoryBytes(bound)
    if (sink.joined !== undefined) this.#tellPlace(sink, slot, this.sinks.length - 1)
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

  /** What was not taken back, in its place. */
  rest(): GrowingBatch {
    const rest = this.#part(this.records.decode(), (index) => !this.takenBack.has(index))
    rest.onEnded.push(...this.onEnded)
    return rest
  }

  #tellPlace(sink: ReceiptSink, slot: number, index: number): void {
    sink.joined?.(slot, { takeBack: () => this.#takeBack(this, index) })
  }

  #part(records: readonly OutgoingRecord[], takes: (index: number) => boolean): GrowingBatch {
    const { topic, partition, firstSentAt } = this
    const part = new GrowingBatch(topic, partition, firstSentAt, this.records.sizeBytes, this.#takeBack)
    for (const [index, record] of records.entries()) {
      if (takes(index)) part.add(record, recordBound(record), this.sinks[index]!, this.slots[index]!)
    }
    part.sealed = true
    return part
  }
}
