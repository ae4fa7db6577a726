import type { OwnedPartition } from './owned-partition.js'
import type { PartitionInflow } from './way-in.js'

/** A bound by number and by bytes; passing either counts. */
export interface Mark {
  readonly records: number
  readonly bytes: number
}

export const unbounded: Mark = { records: Infinity, bytes: Infinity }

/**
 * Bounds what is received and not settled. Each partition has an equal share of the marks, so one that stalls is paused
 * alone. Fetches that are out when the mark is passed still arrive: the bound is the mark and one fetch for each partition.
 * What is settled beyond a record that is not costs no more than some bytes, so there may be as much of it in each partition
 * as the whole mark allows records.
 */
export class BackPressure {
  readonly #high: Mark
  readonly #low: Mark
  readonly #changed: (partition: OwnedPartition) => void
  #partitions = 1

  /** @param changed is told of every partition that holds more or less than before */
  constructor(high: Mark, low: Mark, changed: (partition: OwnedPartition) => void) {
    this.#high = high
    this.#low = low
    this.#changed = changed
  }

  /** The marks are shared by so many partitions now. */
  share(partitions: number): void {
    this.#partitions = Math.max(1, partitions)
  }

  /** The partition holds more than before. */
  grown(partition: OwnedPartition): void {
    const { gate, inflow, tracker } = partition
    if (!gate.isClosedBy('marks') && this.#isAbove(this.#high, inflow, tracker.window)) gate.close('marks')
    this.#changed(partition)
  }

  /** The partition holds less than before. */
  shrunk(partition: OwnedPartition): void {
    const { gate, inflow, tracker } = partition
    if (gate.isClosedBy('marks') && !this.#isAbove(this.#low, inflow, tracker.window)) gate.lift('marks')
    this.#changed(partition)
  }

  /** Taking up makes objects of bytes, and much of little where they were compressed: beyond the mark only when nothing runs. */
  mayTakeUp({ inflow, lanes, tracker, mostOpen }: OwnedPartition): boolean {
    if (tracker.window >= mostOpen) return false
    return lanes.running === 0 || inflow.takenBytes * this.#partitions <= this.#high.bytes
  }

  #isAbove(mark: Mark, { heldRecords, heldBytes }: PartitionInflow, window: number): boolean {
    const shares = this.#partitions
    return heldRecords * shares > mark.records || heldBytes * shares > mark.bytes || window > mark.records
  }
}
