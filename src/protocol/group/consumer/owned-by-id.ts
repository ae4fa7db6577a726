import type { PartitionById } from '../../../connection/requests/consumer-groups.js'
import type { TopicPartition } from '../../../message/topic-partition.js'

/** A partition that is ours. A topic that was made anew has another id, so it is another partition. */
export interface OwnedById extends TopicPartition, PartitionById {}

/** What is ours by the word of the coordinator, until it is really given up or gone. */
export class PartitionsById {
  readonly #owned = new Map<string, OwnedById>()

  get size(): number {
    return this.#owned.size
  }

  all(): readonly OwnedById[] {
    return [...this.#owned.values()]
  }

  /** For the coordinator. */
  ids(): readonly PartitionById[] {
    return this.all().map(({ topicId, partition }) => ({ topicId, partition }))
  }

  notIn(target: readonly PartitionById[]): readonly OwnedById[] {
    const wanted = new Set(target.map(keyOf))
    return this.all().filter((owned) => !wanted.has(keyOf(owned)))
  }

  missingOf(target: readonly PartitionById[]): readonly PartitionById[] {
    return target.filter((at) => !this.#owned.has(keyOf(at)))
  }

  add(partitions: readonly OwnedById[]): void {
    for (const owned of partitions) this.#owned.set(keyOf(owned), owned)
  }

  remove(partitions: readonly OwnedById[]): void {
    for (const gone of partitions) this.#owned.delete(keyOf(gone))
  }
}

/** Each partition once: a second time would be a second hand-over of it. */
export function withoutDuplicates(assignment: readonly PartitionById[]): readonly PartitionById[] {
  return [...new Map(assignment.filter(({ partition }) => partition >= 0).map((at) => [keyOf(at), at])).values()]
}

function keyOf({ topicId, partition }: PartitionById): string {
  return `${topicId}:${partition}`
}
