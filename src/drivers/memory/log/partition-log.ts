import type { OutgoingRecords, ReceivedRecord } from '../../../message/record.js'
import { ProducerLedger } from './producer-ledger.js'
import {
  storeBatch,
  storeMarker,
  withoutRecords,
  type BatchOrigin,
  type MarkerOrigin,
  type StoredBatch,
} from './stored-batch.js'
import { TransactionIndex } from './transaction-index.js'

/** The batches of one partition, in order. Offsets may have holes; replication is not its business. */
export class PartitionLog {
  readonly ledger = new ProducerLedger()
  readonly transactions = new TransactionIndex()
  #batches: StoredBatch[] = []
  #startOffset = 0
  #endOffset = 0
  #sizeBytes = 0

  /** First offset that can be read. */
  get startOffset(): number {
    return this.#startOffset
  }

  /** Offset of the next record. */
  get endOffset(): number {
    return this.#endOffset
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get batches(): readonly StoredBatch[] {
    return this.#batches
  }

  append(records: OutgoingRecords, origin: BatchOrigin, appendTime: number | null): StoredBatch {
    return this.#add(storeBatch(records, origin, this.#endOffset, appendTime))
  }

  appendMarker(control: 'abort' | 'commit', origin: MarkerOrigin, timestamp: number): StoredBatch {
    return this.#add(storeMarker(control, origin, this.#endOffset, timestamp))
  }

  /**
   * Batches from the one that covers `fromOffset`, all of them below `untilOffset`, as many as fit.
   * @param evenIfLarger the first batch is given even when it alone is larger than `maxBytes`.
   */
  read(fromOffset: number, untilOffset: number, maxBytes: number, evenIfLarger: boolean): readonly StoredBatch[] {
    const first = this.#indexCovering(fromOffset)
    let bytes = 0
    let end = first
    for (; end < this.#batches.length; end += 1) {
      const batch = this.#batches[end]!
      if (batch.lastOffset >= untilOffset) break
      if (bytes + batch.sizeBytes > maxBytes && !(evenIfLarger && end === first)) break
      bytes += batch.sizeBytes
    }
    return end === first ? noBatches : this.#batches.slice(first, end)
  }

  /** Bytes a read would give, counted no further than `enoughBytes`. */
  readableBytes(fromOffset: number, untilOffset: number, enoughBytes: number): number {
    let bytes = 0
    for (let index = this.#indexCovering(fromOffset); index < this.#batches.length; index += 1) {
      const batch = this.#batches[index]!
      if (batch.lastOffset >= untilOffset || bytes >= enoughBytes) break
      bytes += batch.sizeBytes
    }
    return bytes
  }

  /** Greatest timestamp of the batch that covers `offset`; -1 when it is gone. */
  timeOf(offset: number): number {
    return this.#batches[this.#indexCovering(offset)]?.maxTimestamp ?? -1
  }

  /** Greatest timestamp of the producer's last batch that is still here; -1 when none is. */
  timeOfProducer(producerId: number): number {
    return this.#batches.findLast((batch) => batch.producerId === producerId)?.maxTimestamp ?? -1
  }

  /** Of the leader that appended `offset`; `undefined` where nothing is yet. */
  epochOf(offset: number): number | undefined {
    return this.#batches[this.#indexCovering(offset)]?.leaderEpoch
  }

  /** The first record at or after `timestamp`, by offset. */
  findByTime(timestamp: number, untilOffset: number): ReceivedRecord | undefined {
    for (const batch of this.#batches) {
      if (batch.lastOffset >= untilOffset) return undefined
      if (batch.maxTimestamp < timestamp) continue
      const record = batch
        .decode()
        .find((candidate) => candidate.timestamp >= timestamp && candidate.offset >= this.#startOffset)
      if (record !== undefined) return record
    }
    return undefined
  }

  /** Drops everything from `offset` on, as a replica does that follows a new leader. */
  truncate(offset: number): void {
    if (offset >= this.#endOffset) return
    this.#replaceBatches(this.#batches.filter((batch) => batch.lastOffset < offset))
    this.#endOffset = offset
    this.#startOffset = Math.min(this.#startOffset, offset)
    this.#learnAgain()
  }

  /** Moves the start up to `offset`. What producers and transactions are known by stays, as in Kafka. */
  deleteBefore(offset: number): void {
    if (offset <= this.#startOffset) return
    this.#startOffset = Math.min(offset, this.#endOffset)
    this.#replaceBatches(this.#batches.filter((batch) => batch.lastOffset >= this.#startOffset))
  }

  /** Drops the oldest batches of a log that outgrew `maxBytes` by a quarter, but never the newest. */
  retain(maxBytes: number): void {
    // Room between the limit and the cut keeps the cost of cutting off the path of every append.
    if (this.#sizeBytes <= maxBytes * 1.25) return
    let excess = this.#sizeBytes - maxBytes
    let drop = 0
    while (excess > 0 && drop < this.#batches.length - 1) {
      excess -= this.#batches[drop]!.sizeBytes
      drop += 1
    }
    if (drop > 0) this.deleteBefore(this.#batches[drop]!.baseOffset)
  }

  /** Takes out records and so makes holes. Markers stay, and so does each producer's last batch, empty if need be. */
  compact(keep: (record: ReceivedRecord) => boolean): void {
    const lastOfProducer = new Map<number, StoredBatch>()
    for (const batch of this.#batches) lastOfProducer.set(batch.producerId, batch)
    const kept: StoredBatch[] = []
    for (const batch of this.#batches) {
      if (batch.control !== 'none') {
        kept.push(batch)
        continue
      }
      const rest = withoutRecords(batch, keep)
      const remembersSequence = batch.producerId >= 0 && lastOfProducer.get(batch.producerId) === batch
      if (rest.count > 0 || remembersSequence) kept.push(rest)
    }
    this.#replaceBatches(kept)
  }

  #add(batch: StoredBatch): StoredBatch {
    this.#batches.push(batch)
    this.#endOffset = batch.lastOffset + 1
    this.#sizeBytes += batch.sizeBytes
    this.#learn(batch)
    return batch
  }

  #learn(batch: StoredBatch): void {
    if (batch.producerId < 0) return
    if (batch.control === 'none') this.ledger.note(batch, batch.baseOffset)
    else this.ledger.noteMarker(batch.producerId, batch.producerEpoch)
    this.transactions.note(batch)
  }

  #learnAgain(): void {
    this.ledger.clear()
    this.transactions.clear()
    for (const batch of this.#batches) this.#learn(batch)
  }

  #replaceBatches(batches: StoredBatch[]): void {
    this.#batches = batches
    this.#sizeBytes = batches.reduce((bytes, batch) => bytes + batch.sizeBytes, 0)
  }

  /** Index of the first batch whose last offset is at or after `offset`. */
  #indexCovering(offset: number): number {
    const batches = this.#batches
    let low = 0
    let high = batches.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (batches[middle]!.lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

const noBatches: readonly StoredBatch[] = []
