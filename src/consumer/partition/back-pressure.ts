import type { DriverConsumer } from '../../driver/consumer.js'
import type { OwnedPartition, PauseReason } from './owned-partition.js'

/** A bound by number and by bytes; passing either counts. */
export interface Mark {
  readonly records: number
  readonly bytes: number
}

/**
 * Bounds what is received and not settled. Each partition has an equal share of the marks, so one that stalls is paused
 * alone. Fetches that are out when the mark is passed still arrive: the bound is the mark and one fetch for each partition.
 */
export class BackPressure {
  readonly #high: Mark
  readonly #low: Mark
  readonly #driver: () => DriverConsumer
  #partitions = 1

  constructor(high: Mark, low: Mark, driver: () => DriverConsumer) {
    this.#high = high
    this.#low = low
    this.#driver = driver
  }

  /** The marks are shared by so many partitions now. */
  share(partitions: number): void {
    this.#partitions = Math.max(1, partitions)
  }

  /** The partition holds more than before. */
  grown(partition: OwnedPartition): void {
    if (!partition.pauses.has('marks') && this.#above(this.#high, partition)) this.pause(partition, 'marks')
  }

  /** The partition holds less than before. */
  shrunk(partition: OwnedPartition): void {
    if (partition.pauses.has('marks') && !this.#above(this.#low, partition)) this.resume(partition, 'marks')
  }

  /** Fetching rests while there is any reason for it. */
  pause(partition: OwnedPartition, reason: PauseReason): void {
    if (partition.pauses.size === 0) this.#driver().pause(partition.assigned)
    partition.pauses.add(reason)
  }

  resume(partition: OwnedPartition, reason: PauseReason): void {
    if (!partition.pauses.delete(reason) || partition.pauses.size > 0 || partition.isGone) return
    this.#driver().resume(partition.assigned)
  }

  #above(mark: Mark, { heldRecords, heldBytes }: OwnedPartition): boolean {
    return heldRecords * this.#partitions > mark.records || heldBytes * this.#partitions > mark.bytes
  }
}
