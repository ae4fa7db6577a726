import { encodeCommitMetadata } from '../../offsets/commit-metadata.js'
import { completedRangesText, mostRangesIn } from '../../offsets/completed-ranges.js'
import { leaderEpochsSection, leaderEpochsText } from '../../offsets/leader-epochs.js'
import { identitySection } from '../../offsets/log-identity.js'
import { orderSection } from '../../offsets/order-snapshot.js'
import { partitionsAtFirstSection } from '../../offsets/partitions-at-first.js'
import { writeFencesSection } from '../../offsets/write-fences.js'
import type { Acknowledged, OwnedPartition } from '../partition/owned-partition.js'

/** What is to be committed of a partition as it stands: its offset, and beside it what the next owner must know. */
export function stateOf(partition: OwnedPartition): Acknowledged {
  const offset = partition.tracker.committable
  if (partition.metadataMaxBytes === 0) return { offset, metadata: '' }
  const completed = partition.tracker.completedRanges(mostRangesIn(partition.metadataMaxBytes))
  const { log, partitionsAtFirst } = partition.assigned
  const order = partition.inflow.orderSnapshot()
  const end = Math.max(offset, completed.at(-1)?.to ?? 0, order?.position ?? 0)
  const epochs = partition.assigned.leaderEpochs(0, end)
  const needs = epochs.length === 0 ? undefined : leaderEpochsSection
  const sections = [
    identitySection(log),
    partitionsAtFirstSection(partitionsAtFirst),
    ...(partition.fences.length === 0 ? [] : [writeFencesSection(partition.fences, offset)]),
    leaderEpochsText(offset, epochs),
    ...(order === null ? [] : [orderSection(order, needs)]),
    completedRangesText(offset, completed, needs),
  ]
  return { offset, metadata: encodeCommitMetadata(sections, partition.metadataMaxBytes) }
}

/** After a position was reset or sought, lower than what the group has is news too. */
export function isNews(acknowledged: Acknowledged | null, { offset, metadata }: Acknowledged): boolean {
  return acknowledged === null || offset !== acknowledged.offset || metadata !== acknowledged.metadata
}
