import type { CommittedPartition } from '../../../connection/requests/offsets.js'
import { partitionKey, type TopicPartition } from '../../../message/topic-partition.js'

interface Stored {
  readonly committed: CommittedPartition
  /** Of two commits of a partition the one that was written later counts, whenever its transaction ends. */
  readonly written: number
}

/** What one group has committed. It outlives coordinators, as the replicated offsets topic does. */
export class GroupOffsets {
  readonly #committed = new Map<string, Stored>()
  /** What open transactions have committed, by producer id. */
  readonly #held = new Map<number, Map<string, Stored>>()
  #writes = 0

  store(partition: CommittedPartition): void {
    this.#committed.set(partitionKey(partition.topic, partition.partition), this.#stored(partition))
  }

  /** Counts when the transaction is committed. */
  hold(producerId: number, partition: CommittedPartition): void {
    let held = this.#held.get(producerId)
    if (held === undefined) {
      held = new Map()
      this.#held.set(producerId, held)
    }
    held.set(partitionKey(partition.topic, partition.partition), this.#stored(partition))
  }

  end(producerId: number, outcome: 'commit' | 'abort'): void {
    const held = this.#held.get(producerId)
    this.#held.delete(producerId)
    if (held === undefined || outcome === 'abort') return
    for (const [key, stored] of held) {
      const present = this.#committed.get(key)
      if (present === undefined || present.written < stored.written) this.#committed.set(key, stored)
    }
  }

  /** A transaction that is not ended yet may have committed it. */
  isUnstable({ topic, partition }: TopicPartition): boolean {
    const key = partitionKey(topic, partition)
    for (const held of this.#held.values()) if (held.has(key)) return true
    return false
  }

  of({ topic, partition }: TopicPartition): CommittedPartition {
    return (
      this.#committed.get(partitionKey(topic, partition))?.committed ?? {
        topic,
        partition,
        offset: -1,
        leaderEpoch: -1,
        metadata: '',
      }
    )
  }

  all(): readonly CommittedPartition[] {
    return [...this.#committed.values()].map(({ committed }) => committed)
  }

  forget({ topic, partition }: TopicPartition): void {
    this.#committed.delete(partitionKey(topic, partition))
  }

  forgetTopic(topic: string): void {
    for (const commits of [this.#committed, ...this.#held.values()]) {
      for (const [key, { committed }] of commits) if (committed.topic === topic) commits.delete(key)
    }
  }

  #stored({ topic, partition, offset, leaderEpoch, metadata }: CommittedPartition): Stored {
    this.#writes += 1
    return { committed: { topic, partition, offset, leaderEpoch, metadata }, written: this.#writes }
  }
}
