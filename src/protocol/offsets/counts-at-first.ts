import type { TopicMetadata } from '../../connection/requests/metadata.js'

type Topic = Pick<TopicMetadata, 'name' | 'topicId' | 'partitions'>

/** How many partitions each topic had when its group started to read it. One that is made anew has a count of its own. */
export class CountsAtFirst {
  readonly #counts = new Map<string, number>()

  /** As far as it is on record. */
  of(topic: Topic | undefined): number | undefined {
    return topic === undefined ? undefined : this.#counts.get(keyOf(topic))
  }

  /** As it is on record, else as it is now. */
  ofOrNow(topic: Topic): number {
    const count = this.of(topic) ?? topic.partitions.length
    this.#counts.set(keyOf(topic), count)
    return count
  }

  /** The lowest of what is on record counts: nothing may be passed over. */
  note(topic: Topic, count: number): void {
    this.#counts.set(keyOf(topic), Math.min(count, this.of(topic) ?? Infinity))
  }
}

/** An id has no blank in it. */
function keyOf({ name, topicId }: Topic): string {
  return `${topicId ?? ''} ${name}`
}
