import type { Random } from '../runtime/random.js'

/** Chooses a partition for records without a key. */
export type ChooseSticky = (partitionCount: number, sizeBytes: number) => number

/**
 * One random partition until `stickyBytes` went there, then another: batches fill up instead of being spread thin, and
 * over time every partition gets the same share (Java's uniform sticky partitioner).
 */
export function stickyChooser(random: Random, stickyBytes: number): ChooseSticky {
  let current = -1
  let filledBytes = 0
  return (partitionCount, sizeBytes) => {
    if (current === -1 || current >= partitionCount) {
      current = Math.floor(random.next() * partitionCount)
      filledBytes = 0
    } else if (filledBytes >= stickyBytes) {
      current = otherPartition(current, partitionCount, random)
      filledBytes = 0
    }
    filledBytes += sizeBytes
    return current
  }
}

function otherPartition(current: number, partitionCount: number, random: Random): number {
  if (partitionCount === 1) return current
  const steps = 1 + Math.floor(random.next() * (partitionCount - 1))
  return (current + steps) % partitionCount
}
