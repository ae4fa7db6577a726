import type { MetadataAnswer, PartitionMetadata, TopicMetadata } from '../../connection/requests/metadata.js'
import { judgeTopicCode } from './codes.js'
import { LeaderHints, type HintedLeader } from './leader-hints.js'

/** Ids of former topics that are remembered for each name, so that a broker that lags does not bring one back. */
const mostFormerIds = 8
/**
 * A former id is the present one all the same when it comes this often in a row: what was learnt last came from a broker that
 * lagged. Questions go to another broker each time, so one that lags is not heard so often between the others.
 */
const timesInARow = 3

/**
 * What the cluster last told about brokers, topics and leaders. Brokers lag behind each other, so the newest answer is
 * not always the newest knowledge:
 *
 * | of a topic comes                      | then                                                                    |
 * |---------------------------------------|-------------------------------------------------------------------------|
 * | no partition, an error                | the error is taken, what was known of the partitions stays              |
 * | the id that is known                  | partition by partition the higher leader epoch stays; none goes away    |
 * | another id, never seen                | when a second broker tells it too: the topic was made anew, all of it is taken, the known id is a former one |
 * | the same, and a second broker differs | nothing is taken: one of both lags, and they are asked again            |
 * | a former id                           | nothing is taken, until nobody tells of another one (`timesInARow`)     |
 * | no id (Kafka before 2.8)              | all of it is taken                                                      |
 */
export class MetadataCache {
  #brokers: readonly number[] = []
  #racks: readonly string[] = []
  #controllerId = -1
  #clusterId: string | null = null
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #formerIds = new Map<string, readonly string[]>()
  /** Former ids that came since the known one did, by topic. */
  readonly #doubts = new Map<string, { readonly topicId: string; readonly times: number }>()
  /** Brokers last told different ids of these, none of them a former one. */
  readonly #disputed = new Set<string>()
  readonly #hints = new LeaderHints()
  readonly #listeners = new Set<() => void>()

  get brokers(): readonly number[] {
    return this.#brokers
  }

  /** Of these brokers, each once. */
  get racks(): readonly string[] {
    return this.#racks
  }

  /** -1 while no broker told. */
  get controllerId(): number {
    return this.#controllerId
  }

  /** `null` while no broker told. */
  get clusterId(): string | null {
    return this.#clusterId
  }

  topicNames(): readonly string[] {
    return [...this.#topics.keys()]
  }

  /** `errorCode` tells whether the last answer about it was good; its id and partitions are the last good ones. */
  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)
  }

  /** With what brokers hinted since. */
  partition(topic: string, partition: number): PartitionMetadata | undefined {
    const known = this.#topics.get(topic)?.partitions[partition]
    return known === undefined ? undefined : this.#hints.over(topic, known)
  }

  /** Is what is known of a leader hearsay? */
  isHinted(topic: string): boolean {
    return this.#hints.concern(topic, this.#topics.get(topic)?.partitions ?? [])
  }

  /** Who leads, by the word of brokers that do not. Returns the topics of which that was news. */
  takeHints(hints: readonly HintedLeader[]): ReadonlySet<string> {
    const news = new Set<string>()
    for (const hint of hints) {
      const known = this.partition(hint.topic, hint.partition)
      const topicId = this.#topics.get(hint.topic)?.topicId ?? null
      if (known !== undefined && this.#hints.take(hint, topicId, known)) news.add(hint.topic)
    }
    if (news.size > 0) this.#changed()
    return news
  }

  /** Brokers disagree whether it was made anew. */
  isDisputed(topic: string): boolean {
    return this.#disputed.has(topic)
  }

  /** Topics that the answer tells to be others than those that are known, by ids which were never told before. */
  strangersIn({ topics }: MetadataAnswer): readonly string[] {
    return topics.filter((topic) => this.#isStranger(topic)).map(({ name }) => name)
  }

  /**
   * Takes what two brokers told, the second about the strangers in the answer of the first.
   *
   * @param second `null` when nobody else answered.
   */
  takeBoth(first: MetadataAnswer, second: MetadataAnswer | null): void {
    const ids = new Map(second?.topics.map(({ name, topicId }) => [name, topicId]))
    const isAgreed = (topic: TopicMetadata) => !this.#isStranger(topic) || ids.get(topic.name) === topic.topicId
    const disputed = first.topics.filter((topic) => !isAgreed(topic))
    const topics = [...first.topics, ...(second?.topics ?? [])].filter(isAgreed)
    this.take({ ...(second ?? first), topics })
    for (const { name } of disputed) this.#disputed.add(name)
  }

  take(answer: MetadataAnswer): void {
    if (answer.brokers.length > 0) {
      this.#brokers = answer.brokers.map(({ nodeId }) => nodeId)
      this.#racks = [...new Set(answer.brokers.flatMap(({ rack }) => rack ?? []))]
    }
    this.#controllerId = answer.controllerId
    this.#clusterId = answer.clusterId ?? this.#clusterId
    for (const told of answer.topics) {
      const topic = this.#merge(told)
      this.#topics.set(topic.name, topic)
      if (told.partitions.length > 0) this.#hints.metadataTold(topic.name, topic.topicId, topic.partitions)
    }
    this.#changed()
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  #isStranger({ name, topicId }: TopicMetadata): boolean {
    const known = this.#topics.get(name)?.topicId ?? null
    return (
      known !== null &&
      topicId !== null &&
      topicId !== known &&
      !(this.#formerIds.get(name)?.includes(topicId) ?? false)
    )
  }

  #merge(told: TopicMetadata): TopicMetadata {
    this.#disputed.delete(told.name)
    const partitions = [...told.partitions].sort((a, b) => a.partition - b.partition)
    const topic = { ...told, partitions }
    const known = this.#topics.get(told.name)
    if (known === undefined) return topic
    // A broker that has just started may not know a topic yet: requests to its old leaders are refused harmlessly.
    if (judgeTopicCode(told.errorCode) !== 'known' && partitions.length === 0) {
      return { ...topic, topicId: known.topicId, partitions: known.partitions }
    }
    if (known.topicId === null || told.topicId === null) return topic
    if (known.topicId === told.topicId) {
      this.#doubts.delete(told.name)
      return { ...topic, partitions: newest(known.partitions, partitions) }
    }
    const former = this.#formerIds.get(told.name) ?? []
    if (former.includes(told.topicId) && !this.#isBack(told.name, told.topicId)) return known
    const others = former.filter((id) => id !== told.topicId)
    this.#formerIds.set(told.name, [...others, known.topicId].slice(-mostFormerIds))
    return topic
  }

  #isBack(topic: string, topicId: string): boolean {
    const doubt = this.#doubts.get(topic)
    const times = doubt?.topicId === topicId ? doubt.times + 1 : 1
    if (times < timesInARow) this.#doubts.set(topic, { topicId, times })
    else this.#doubts.delete(topic)
    return times >= timesInARow
  }
}

/** Of one topic, whose partitions never become fewer and whose leader epochs never fall. */
function newest(known: readonly PartitionMetadata[], told: readonly PartitionMetadata[]): PartitionMetadata[] {
  const merged = told.map((partition) => {
    const before = known[partition.partition]
    return before !== undefined && before.leaderEpoch > partition.leaderEpoch ? before : partition
  })
  return merged.length < known.length ? [...merged, ...known.slice(merged.length)] : merged
}
