import type { CommittedPartition } from '../connection/requests/offsets.js'
import type { Acknowledged, OwnedPartition } from '../consumer/partition/owned-partition.js'
import { progressOf } from '../offsets/progress.js'

/** The place behind what is settled, as the group keeps it. */
export function committedIn({ topic, partition, assigned }: OwnedPartition, state: Acknowledged): CommittedPartition {
  const { offset, metadata } = state
  const leaderEpoch = assigned.leaderEpochs(offset - 1, offset).at(-1)?.leaderEpoch ?? -1
  return { topic, partition, offset, leaderEpoch, metadata }
}

/** Does the commit tell of everything that is settled beyond its offset? What it does not tell would be handled again. */
export function holdsAll({ tracker }: OwnedPartition, state: Acknowledged): boolean {
  const settled = tracker.completedRanges()
  if (settled.length === 0) return true
  const { completed } = progressOf(state)
  return settled.every((range, index) => range.from === completed[index]?.from && range.to === completed[index]?.to)
}
