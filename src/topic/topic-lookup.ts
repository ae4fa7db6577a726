import { isPatternTopic } from './topic-pattern.js'
import type { Topic } from './topic.js'

/** The definition of a topic by its name. */
export type TopicLookup = Pick<ReadonlyMap<string, Topic>, 'get'>

/** Those that are named, and behind them the patterns in their order. */
export function lookUpIn(named: ReadonlyMap<string, Topic>, topics: readonly Topic[]): TopicLookup {
  const patterns = topics.filter(isPatternTopic)
  if (patterns.length === 0) return named
  return { get: (name) => named.get(name) ?? patterns.find(({ pattern }) => pattern.test(name))?.named(name) }
}

/** Of the topics that are named, without patterns. */
export function namesOf(topics: readonly Topic[]): readonly string[] {
  return topics.filter((topic) => !isPatternTopic(topic)).map(({ name }) => name)
}

/** The topics that a consumer reads, by name. */
export class ReadTopics {
  readonly #topics: readonly Topic[]
  readonly #found: () => readonly string[]

  /** @param found names of topics of which partitions are here, other topics among them. */
  constructor(topics: readonly Topic[], found: () => readonly string[]) {
    this.#topics = topics
    this.#found = found
  }

  /** May topics be found later that are read too? */
  get isOpen(): boolean {
    return this.#topics.some(isPatternTopic)
  }

  /** Those that were given by name, and of those that were found the ones that a pattern matches. */
  names(): readonly string[] {
    const named = namesOf(this.#topics)
    return this.isOpen ? [...new Set([...named, ...this.#found().filter((name) => this.has(name))])] : named
  }

  has(name: string): boolean {
    return this.#topics.some((topic) => (isPatternTopic(topic) ? topic.pattern.test(name) : topic.name === name))
  }
}
