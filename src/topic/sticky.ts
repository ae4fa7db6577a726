import type { Random } from '../runtime/random.js'

/** Chooses a partition for records without a key. */
export type ChooseSticky = (
  partitionCount: number,
  sizeBytes: number,
  isAvailable: (partition: number) => boolean,
) => number

/**
 * One random partition until `stickyBytes` went there, then another: batches fill up instead of being spread thin, and
 * over time every partition gets the same share (Java's uniform sticky partitioner). One without a leader is not chosen
 * while there are others; it is looked at when the next is chosen, and not for every record.
 */
export function stickyChooser(random: Random, stickyBytes: number): ChooseSticky {
  let current = -1
  let filledBytes = 0
  return (partitionCount, sizeBytes, isAvailable) => {
    if (current === -1 || current >= partitionCount || filledBytes >= stickyBytes) {
      current = draw(current, partitionCount, isAvailable, random)
      filledBytes = 0
    }
    filledBytes += sizeBytes
    return current
  }
}

/** Drawn again while it is not available, so each of those that are has the same chance; but not for ever. */
function draw(
  before: number,
  partitionCount: number,
  isAvailable: (partition: number) => boolean,
  random: Random,
): number {
  const isKnown = before >= 0 && before < partitionCount
  let drawn = before
  for (let tries = 0; tries < 4; tries += 1) {
    drawn = isKnown ? other(before, partitionCount, random) : any(partitionCount, random)
    if (isAvailable(drawn)) return drawn
  }
  for (let steps = 1; steps < partitionCount; steps += 1) {
    const next = (drawn + steps) % partitionCount
    if (isAvailable(next)) return next
  }
  return drawn
}

function any(partitionCount: number, random: Random): number {
  return Math.floor(random.next() * partitionCount)
}

function other(before: number, partitionCount: number, random: Random): number {
  if (partitionCount === 1) return before
  const steps = 1 + Math.floor(random.next() * (partitionCount - 1))
  return (before + steps) % partitionCount
}
