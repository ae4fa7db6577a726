/** A partition, or all of a topic, those that come later included. */
export interface Place {
  readonly topic: string
  readonly partition?: number | undefined
}

/** Stands for topics that nothing was said of by name: those that a pattern finds later. No topic can be called so. */
export const anyOtherTopic = '*'

/** Of one topic: what its user said last of the whole, and the partitions that were said otherwise since. */
interface TopicPause {
  readonly whole: boolean
  readonly others: ReadonlySet<number>
}

/**
 * What the user wants to rest. It is asked for by name, whether the partition is ours just now or not, so it holds over
 * rebalances and for partitions that come later; the last word counts.
 */
export class UserPauses {
  readonly #topics = new Map<string, TopicPause>()

  set(places: readonly Place[], isPaused: boolean): void {
    for (const { topic, partition } of places) {
      const others = new Set<number>()
      const { whole, others: known } = this.#topics.get(topic) ?? { whole: false, others }
      if (partition === undefined) {
        this.#topics.set(topic, { whole: isPaused, others })
        continue
      }
      for (const one of known) if (one !== partition) others.add(one)
      if (isPaused !== whole) others.add(partition)
      this.#topics.set(topic, { whole, others })
    }
  }

  has(topic: string, partition: number): boolean {
    const pause = this.#topics.get(topic) ?? this.#topics.get(anyOtherTopic)
    return pause !== undefined && pause.whole !== pause.others.has(partition)
  }
}
