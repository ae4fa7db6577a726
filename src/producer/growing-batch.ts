import type { OutgoingBatch } from '../driver/producer.js'
import type { SendError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import { Linked } from '../runtime/linked-set.js'
import { GrowingRecords, recordBound } from '../wire/growing-records.js'
import type { Caller } from './caller.js'
import type { FailureCounts, Receipt, ReceiptSink, TakenBack } from './receipt.js'
import { batchOverheadBytes, memoryBytes } from './record-size.js'
import { SharedSends } from './shared-sends.js'

/** Called when the record at `index` is wanted back. */
export type TakeBack = (batch: GrowingBatch, index: number) => TakenBack

const none: ReadonlySet<number> = new Set()

/** Records of one partition that are sent together and share one fate, with everyone who waits for them. */
export class GrowingBatch extends Linked<GrowingBatch> implements OutgoingBatch {
  readonly topic: string
  readonly partition: number
  /** When its oldest record was sent; the delivery deadline counts from here. */
  readonly firstSentAt: number
  readonly records: GrowingRecords
  /** Held in the buffer until the batch has ended. */
  memoryBytes = 0
  /** Held beside it while it is with the driver: its records as they are sent, compressed. */
  packedBytes = 0
  /** Takes no more records and does not linger: somebody waits for it. */
  sealed = false
  /** Called once all of its records have their outcome. */
  readonly onEnded: (() => void)[] = []
  /** Recalled from the driver, and not here yet. */
  isComingBack = false
  readonly #takeBack: TakeBack
  #takenBack: Set<number> | null = null
  readonly #timestamps: number[] = []
  /** Of its first records, in order; the others have sinks and slots of their own below. */
  #shared: SharedSends | null = null
  #sharedCount = 0
  readonly #sinks: ReceiptSink[] = []
  readonly #slots: number[] = []

  /** @param roomBytes what its records will probably take. */
  constructor(topic: string, partition: number, firstSentAt: number, roomBytes: number, takeBack: TakeBack) {
    super()
    this.topic = topic
    this.partition = partition
    this.firstSentAt = firstSentAt
    this.records = new GrowingRecords(roomBytes)
    this.#takeBack = takeBack
  }

  /** Records that were taken back: they are left out before it is sent (again), and their sinks were told. */
  get takenBack(): ReadonlySet<number> {
    return this.#takenBack ?? none
  }

  takeOut(index: number): void {
    this.#takenBack ??= new Set()
    this.#takenBack.add(index)
  }

  get sizeBytes(): number {
    return batchOverheadBytes + this.records.sizeBytes
  }

  /** @param bound the most that the record takes in the batch. */
  add(record: OutgoingRecord, bound: number, sink: ReceiptSink, slot: number): void {
    this.#add(record, bound)
    this.#sinks.push(sink)
    this.#slots.push(slot)
    if (sink.joined !== undefined) this.#tellPlace(sink, slot, this.#sharedCount + this.#sinks.length - 1)
  }

  /** The same, of a send that has no promise yet and that nobody will want back. */
  join(record: OutgoingRecord, bound: number, failures: FailureCounts, caller: Caller | null): Promise<Receipt> {
    const sends = (this.#shared ??= new SharedSends(failures))
    if (this.#sinks.length > 0) this.add(record, bound, sends, sends.count)
    else {
      this.#add(record, bound)
      this.#sharedCount += 1
    }
    return sends.join(caller)
  }

  /** All of its records are in the log from `baseOffset` on; `null`: somewhere. */
  stored(baseOffset: number | null, logAppendTime: number | null): void {
    const { topic, partition } = this
    const timestamps = this.#timestamps
    const receiptOf = (index: number): Receipt => ({
      topic,
      partition,
      offset: baseOffset === null ? null : baseOffset + index,
      timestamp: logAppendTime ?? timestamps[index] ?? 0,
    })
    const first = this.#tellShared((sends) => sends.allStored(receiptOf))
    for (let index = first; index < timestamps.length; index += 1)
      this.#sinkOf(index).stored(this.#slotOf(index), receiptOf(index))
  }

  /** None of its records had a better end. */
  failed(error: SendError): void {
    const first = this.#tellShared((sends) => sends.allFailed(error))
    for (let index = first; index < this.#timestamps.length; index += 1)
      this.#sinkOf(index).failed(this.#slotOf(index), error)
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

  #add(record: OutgoingRecord, bound: number): void {
    this.records.add(record)
    this.#timestamps.push(record.timestamp)
    this.memoryBytes += memoryBytes(bound)
  }

  /** At once, where all of them are among the first records. Returns the index of the first record that was not told. */
  #tellShared(tell: (sends: SharedSends) => void): number {
    const sends = this.#shared
    if (sends === null || sends.count !== this.#sharedCount) return 0
    tell(sends)
    return this.#sharedCount
  }

  #sinkOf(index: number): ReceiptSink {
    return index < this.#sharedCount ? this.#shared! : this.#sinks[index - this.#sharedCount]!
  }

  #slotOf(index: number): number {
    return index < this.#sharedCount ? index : this.#slots[index - this.#sharedCount]!
  }

  #tellPlace(sink: ReceiptSink, slot: number, index: number): void {
    sink.joined?.(slot, { takeBack: () => this.#takeBack(this, index) })
  }

  #part(records: readonly OutgoingRecord[], takes: (index: number) => boolean): GrowingBatch {
    const { topic, partition, firstSentAt } = this
    const part = new GrowingBatch(topic, partition, firstSentAt, this.records.sizeBytes, this.#takeBack)
    for (const [index, record] of records.entries()) {
      if (takes(index)) part.add(record, recordBound(record), this.#sinkOf(index), this.#slotOf(index))
    }
    part.sealed = true
    return part
  }
}
