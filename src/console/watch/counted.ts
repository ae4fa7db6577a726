import type { GroupLag, PartitionLag } from '../../lag/lag-report.js'
import { partitionKey } from '../../message/topic-partition.js'
import { lagIsKnown, type PartitionFactsSight } from '../model/sight.js'

/**
 * Lag as the process of a member knows it, where one told: to what it has settled, else to what is committed. What neither
 * tells is in no sum: where a group would start in a partition that it has never committed, nobody outside knows.
 */
export function counted(group: GroupLag, told: ReadonlyMap<string, PartitionFactsSight>): GroupLag {
  const factsOf = (one: PartitionLag) =>
    // Of most groups no process tells: for those no keys are made.
    told.size === 0 ? null : (told.get(partitionKey(one.topic, one.partition)) ?? null)
  const partitions = group.partitions.map((one): PartitionLag => {
    const facts = factsOf(one)
    return facts === null ? one : { ...one, lag: Math.max(0, one.end - Math.max(facts.settled, one.start)) }
  })
  const known = partitions.filter((one) => lagIsKnown({ committed: one.committed, facts: factsOf(one) }))
  return {
    ...group,
    partitions,
    lag: known.reduce((sum, one) => sum + one.lag, 0),
    lagMs: known.reduce<number | null>(
      (most, { lag, lagMs }) => (most === null || (lagMs === null && lag > 0) ? null : Math.max(most, lagMs ?? 0)),
      0,
    ),
  }
}
