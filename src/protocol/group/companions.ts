import { partitionKey } from '../../message/topic-partition.js'
import type { GivenPartition } from './membership.js'

/**
 * Topics that are read along with another: whoever has a partition of that one reads theirs of the same number, whoever
 * the group's leader gave them to. So two partitions are in one hand under every assignor, in mixed groups too. They are
 * subscribed to all the same, else the group would forget their offsets.
 */
export class Companions {
  readonly #ofTopic: ReadonlyMap<string, readonly string[]>
  readonly #topics: ReadonlySet<string>

  constructor(ofTopic: ReadonlyMap<string, readonly string[]> = new Map()) {
    this.#ofTopic = ofTopic
    this.#topics = new Set([...ofTopic.values()].flat())
  }

  has(topic: string): boolean {
    return this.#topics.has(topic)
  }

  /** What is ours when these were given to us. */
  along(partitions: readonly GivenPartition[]): readonly GivenPartition[] {
    if (this.#topics.size === 0) return partitions
    const all = new Map<string, GivenPartition>()
    for (const given of partitions) {
      const { topic, partition } = given
      if (this.has(topic)) continue
      all.set(partitionKey(topic, partition), given)
      for (const name of this.#ofTopic.get(topic) ?? []) {
        all.set(partitionKey(name, partition), { topic: name, partition })
      }
    }
    return [...all.values()]
  }

  /** What a leader divides: they follow by themselves. */
  withoutThem(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    return this.#topics.size === 0 ? counts : new Map([...counts].filter(([topic]) => !this.has(topic)))
  }
}
