import { delayTopicName, isDelayTopicNamed } from '../topic/delay-topic-name.js'
import type { Topic } from '../topic/topic.js'
import { delayText } from './delays.js'

/** One delay of one topic, shortest first; each is a topic of its own. */
export interface DelayLevel {
  readonly topic: string
  readonly delayMs: number
  readonly index: number
}

/** The way of a topic's records: the topic itself is place -1, its delays follow. */
export interface DelayPlace {
  readonly source: Topic
  readonly index: number
  readonly levels: readonly DelayLevel[]
}

/** Kept for so long beyond the delay: whoever was down for a week finds what it put off. */
const keptMs = 7 * 86_400_000

/** What a broker takes by default, and what of ours stands in headers beside a record that has just fit its topic. */
const usualMaxBytes = 1_048_588
const headerBytes = 65_536

/** The delay topics of a consumer: `<topic>.retry.<name>.<delay>`, so those of two groups are never the same. */
export class DelayLevels {
  readonly #places = new Map<string, DelayPlace>()
  readonly ofTopic: ReadonlyMap<string, readonly string[]>
  readonly #name: string

  /**
   * @param name stands in the names of the topics, so that no other consumer reads them: by default the group
   * @param delaysMs rising
   */
  constructor(sources: readonly Topic[], name: string, delaysMs: readonly number[]) {
    this.#name = name
    for (const source of sources) {
      const levels = delaysMs.map((delayMs, index) => ({
        topic: delayTopicName(source.name, name, delayText(delayMs)),
        delayMs,
        index,
      }))
      this.#places.set(source.name, { source, index: -1, levels })
      for (const { topic, index } of levels) this.#places.set(topic, { source, index, levels })
    }
    this.ofTopic = new Map(
      sources.map(({ name: source }) => [source, (this.#places.get(source)?.levels ?? []).map(({ topic }) => topic)]),
    )
  }

  /** All of them. */
  get topics(): readonly string[] {
    return [...this.ofTopic.values()].flat()
  }

  /** A delay topic of theirs by its name, though none of these. */
  wasOne(topic: string): boolean {
    if (this.#places.has(topic)) return false
    return [...this.ofTopic.keys()].some((source) => isDelayTopicNamed(source, this.#name, topic))
  }

  /** Of a topic that the consumer reads. */
  of(topic: string): DelayPlace {
    const place = this.#places.get(topic)
    if (place === undefined) throw new Error(`${topic} has no delays`)
    return place
  }

  /** As `ensureTopics` makes them: with the partitions of their topic, and room for what stands beside each record. */
  definitions(): readonly Topic[] {
    return [...this.#places].flatMap(([name, { source, index, levels }]) => {
      const level = levels[index]
      if (level === undefined) return []
      const maxBytes = Number(source.configs['max.message.bytes'] ?? usualMaxBytes) + headerBytes
      const configs = {
        'cleanup.policy': 'delete',
        'retention.ms': String(level.delayMs + keptMs),
        'max.message.bytes': String(maxBytes),
      }
      const { replicationFactor, partitions } = source
      const minInsync = source.configs['min.insync.replicas']
      return [
        {
          ...source,
          name,
          partitions,
          replicationFactor,
          configs: minInsync === undefined ? configs : { ...configs, 'min.insync.replicas': minInsync },
          deadLettersOf: undefined,
          delays: source.name,
        },
      ]
    })
  }
}
