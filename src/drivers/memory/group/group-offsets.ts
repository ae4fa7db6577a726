import type { CommittedPartition } from '../../../connection/requests/offsets.js'
import { partitionKey, type TopicPartition } from '../../../message/topic-partition.js'

/** What one group has committed. It outlives coordinators, as the replicated offsets topic does. */
export class GroupOffsets {
  readonly #committed = new Map<string, CommittedPartition>()

  store(partition: CommittedPartition): void {
    const { topic, partition: index, offset, leaderEpoch, metadata } = partition
    this.#committed.set(partitionKey(topic, index), { topic, partition: index, offset, leaderEpoch, metadata })
  }

  of({ topic, partition }: TopicPartition): CommittedPartition {
    return (
      this.#committed.get(partitionKey(topic, partition)) ?? {
        topic,
        partition,
        offset: -1,
        leaderEpoch: -1,
        metadata: '',
      }
    )
  }

  all(): readonly CommittedPartition[] {
    return [...this.#committed.values()]
  }

  forgetTopic(topic: string): void {
    for (const [key, committed] of this.#committed) if (committed.topic === topic) this.#committed.delete(key)
  }
}
