import { GrowingBatch, type TakeBack } from './growing-batch.js'

/** What is left of the room for a large batch with each that is smaller. */
const forgets = 0.9

/**
 * Records of one partition in the order they were sent, in batches. The oldest batch leaves first, alone, and the next
 * only after its last word.
 *
 * | state     | meaning                                                  |
 * |-----------|----------------------------------------------------------|
 * | empty     | nothing waits, nothing is out                            |
 * | ready     | looked at at the next flush                              |
 * | lingering | its only batch waits for more records                    |
 * | out       | its oldest batch is with the driver; the others grow     |
 * | resting   | its oldest batch came back from the driver, goes soon    |
 */
export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  /** Of what is measured; the same ones each time. */
  readonly labels: { readonly topic: string }
  /** Oldest first; the first is the one that is out. */
  readonly batches: GrowingBatch[] = []
  state: 'empty' | 'ready' | 'lingering' | 'out' | 'resting' = 'empty'
  readonly #batchBytes: number
  /** Records of one batch share its deadline, so they may be no further apart than this. */
  readonly #spanMs: number
  /** What one `add` may fill up to; a record that is larger than `batchBytes` has a batch of its own. */
  #open: GrowingBatch | null = null
  /** What the last batches took, for the next is probably like them: it forgets a large one slowly. */
  #roomBytes = 0
  readonly #takeBack: TakeBack

  constructor(topic: string, partition: number, batchBytes: number, spanMs: number, takeBack: TakeBack) {
    this.topic = topic
    this.partition = partition
    this.labels = { topic }
    this.#batchBytes = batchBytes
    this.#spanMs = spanMs
    this.#takeBack = takeBack
  }

  /** The batch for the next record: a new one is in the queue only when the record is in it, see `added`. */
  batchFor(sizeBytes: number, sentAt: number): GrowingBatch {
    if (this.#open !== null && this.#takes(this.#open, sizeBytes, sentAt)) return this.#open
    const roomBytes = Math.max(this.#roomBytes, sizeBytes)
    return new GrowingBatch(this.topic, this.partition, sentAt, roomBytes, this.#takeBack)
  }

  /** A record is in the batch that it was given. */
  added(batch: GrowingBatch): void {
    if (batch === this.#open) return
    this.#open = batch
    this.batches.push(batch)
  }

  #takes(batch: GrowingBatch, sizeBytes: number, sentAt: number): boolean {
    if (batch.sealed || batch.sizeBytes + sizeBytes > this.#batchBytes) return false
    return sentAt - batch.firstSentAt <= this.#spanMs
  }

  get oldest(): GrowingBatch | undefined {
    return this.batches[0]
  }

  get newest(): GrowingBatch | undefined {
    return this.batches.at(-1)
  }

  /** May the oldest batch go, or is it worth waiting for more records? */
  isDue(now: number, lingerMs: number): boolean {
    const batch = this.batches[0]
    if (batch === undefined) return false
    return lingerMs === 0 || batch.sealed || this.batches.length > 1 || now - batch.firstSentAt >= lingerMs
  }

  /** The oldest batch leaves the queue's open end, so that nothing is added to it while it is out. */
  handOver(): GrowingBatch | undefined {
    const batch = this.batches[0]
    if (batch === this.#open) this.#open = null
    if (batch !== undefined)
      this.#roomBytes = Math.max(batch.records.sizeBytes + 64, Math.floor(forgets * this.#roomBytes))
    this.state = 'out'
    return batch
  }

  /** Puts others in the place of the oldest batch, or nothing. */
  replaceOldest(replacements: readonly GrowingBatch[]): void {
    if (replacements.length === 0) this.batches.shift()
    else this.batches.splice(0, 1, ...replacements)
  }

  /** Puts what is left of a batch that waits in its place; `null` for nothing. */
  replace(batch: GrowingBatch, rest: GrowingBatch | null): void {
    if (batch === this.#open) this.#open = null
    this.batches.splice(this.batches.indexOf(batch), 1, ...(rest === null ? [] : [rest]))
  }
}
