import type { PartitionById } from '../../../../connection/requests/consumer-groups.js'

/** Partitions by id, in the order in which they came. */
export type PartitionSet = ReadonlyMap<string, PartitionById>

export const noPartitions: PartitionSet = new Map()

export function keyById({ topicId, partition }: PartitionById): string {
  return `${topicId}:${partition}`
}

export function partitionSet(partitions: Iterable<PartitionById>): PartitionSet {
  return new Map([...partitions].map((at) => [keyById(at), at]))
}

/** Those of `partitions` whose key is good. */
export function those(partitions: PartitionSet, isGood: (key: string) => boolean): PartitionSet {
  return new Map([...partitions].filter(([key]) => isGood(key)))
}

export function sameSet(a: PartitionSet, b: PartitionSet): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key))
}
