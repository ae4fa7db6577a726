import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { OwnedPartition } from './owned-partition.js'

/** The partitions that are ours now. */
export class OwnedPartitions {
  readonly #owned = new Map<string, OwnedPartition>()

  get size(): number {
    return this.#owned.size
  }

  get(topic: string, partition: number): OwnedPartition | undefined {
    return this.#owned.get(partitionKey(topic, partition))
  }

  /** Present only under the epoch it was asked for. */
  ofEpoch({ topic, partition, epoch }: TopicPartition & { readonly epoch: number }): OwnedPartition | undefined {
    const owned = this.get(topic, partition)
    return owned?.epoch === epoch ? owned : undefined
  }

  put(owned: OwnedPartition): void {
    this.#owned.set(partitionKey(owned.topic, owned.partition), owned)
  }

  /** Removes this very object; one that was replaced meanwhile stays. */
  remove(owned: OwnedPartition): void {
    const key = partitionKey(owned.topic, owned.partition)
    if (this.#owned.get(key) === owned) this.#owned.delete(key)
  }

  all(): OwnedPartition[] {
    return [...this.#owned.values()]
  }
}
