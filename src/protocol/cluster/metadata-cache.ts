import { brokerCode } from '../../connection/broker-error.js'
import type { MetadataAnswer, PartitionMetadata, TopicMetadata } from '../../connection/requests/metadata.js'

/** What the cluster last told about brokers, topics and leaders. The newest answer wins. */
export class MetadataCache {
  #brokers: readonly number[] = []
  #controllerId = -1
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #listeners = new Set<() => void>()

  get brokers(): readonly number[] {
    return this.#brokers
  }

  /** -1 while no broker told. */
  get controllerId(): number {
    return this.#controllerId
  }

  topicNames(): readonly string[] {
    return [...this.#topics.keys()]
  }

  /** `errorCode` tells whether the last answer about it was good; its partitions are the last good ones. */
  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)
  }

  partition(topic: string, partition: number): PartitionMetadata | undefined {
    return this.#topics.get(topic)?.partitions[partition]
  }

  take(answer: MetadataAnswer): void {
    if (answer.brokers.length > 0) this.#brokers = answer.brokers.map((broker) => broker.nodeId)
    this.#controllerId = answer.controllerId
    for (const topic of answer.topics) this.#topics.set(topic.name, this.#merge(topic))
    for (const listener of [...this.#listeners]) listener()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * A broker that has just started may not know a topic yet, so a bad answer does not erase the partitions: requests
   * to their old leaders are refused harmlessly until a better answer comes.
   */
  #merge(topic: TopicMetadata): TopicMetadata {
    const partitions = [...topic.partitions].sort((a, b) => a.partition - b.partition)
    if (topic.errorCode === brokerCode.NONE || partitions.length > 0) return { ...topic, partitions }
    return { ...topic, partitions: this.#topics.get(topic.name)?.partitions ?? [] }
  }
}
