import type { Broker, MetadataAnswer } from '../../connection/requests/metadata.js'
import type { ConsumerSettings } from '../../driver/consumer.js'
import { pause } from '../../runtime/pause.js'
import type { ClientContext, KnownTopics } from '../cluster/client-context.js'
import { judgeTopicCode } from '../cluster/codes.js'

type MatchingContext = ClientContext<
  Pick<ConsumerSettings, 'topics' | 'matching' | 'requestTimeoutMs' | 'metadataMaxAgeMs' | 'logger'>
>

/**
 * The topics that a consumer reads: those that it was given by name, and those of the cluster that match its patterns, which
 * are looked for by age.
 *
 * | a topic that matches                                | then                                          |
 * |-----------------------------------------------------|-----------------------------------------------|
 * | is told by a broker                                 | it is read from now on                        |
 * | is missing, and another broker knows it             | it is read on: one of both lags               |
 * | is missing, and each broker that answers denies it  | it is not read any more                       |
 * | cannot be seen (an error)                           | nothing changes                               |
 */
export class MatchingTopics implements KnownTopics {
  readonly #context: MatchingContext
  readonly #closed = new AbortController()
  readonly #listeners = new Set<() => void>()
  #found: ReadonlySet<string> = new Set()
  /** Ids of topics that are not read, as the last look saw them. */
  #others: ReadonlySet<string | null> = new Set()
  /** One look after the other: what an earlier one saw must not count over what a later one did. */
  #looking: Promise<void> = Promise.resolve()
  #names: readonly string[]

  constructor(context: MatchingContext) {
    this.#context = context
    this.#names = context.settings.topics
  }

  /** Another list after each change. */
  get names(): readonly string[] {
    return this.#names
  }

  /** Called after a change; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Looks for the first time, then goes on by itself. Rejects when no broker answered until `deadline`. */
  async start(deadline: number): Promise<void> {
    if (this.#context.settings.matching === undefined) return
    await this.look(deadline)
    this.#tellOfIdle()
    void this.#watch() // never rejects
  }

  async look(deadline: number): Promise<void> {
    const look = this.#looking.then(() => this.#look(deadline))
    this.#looking = look.catch(() => undefined)
    await look
  }

  isOther(topicId: string): boolean {
    return this.#others.has(topicId)
  }

  close(): void {
    this.#closed.abort(new Error('the consumer was stopped'))
    this.#listeners.clear()
  }

  /** Most often it is written for a part of the name, as regular expressions are looked for elsewhere. */
  #tellOfIdle(): void {
    const { matching, logger, metadataMaxAgeMs } = this.#context.settings
    const idle = (matching?.patterns ?? []).filter((pattern) => ![...this.#found].some((name) => pattern.test(name)))
    if (idle.length === 0) return
    logger.warn(
      { patterns: idle.map(String), metadataMaxAgeMs },
      'no topic matches a pattern, whose names must match as a whole: /orders.*/ for all that begin so; topics that are made later are found',
    )
  }

  async #watch(): Promise<void> {
    const { runtime, settings } = this.#context
    const { signal } = this.#closed
    while (!signal.aborted) {
      await pause(runtime.clock, settings.metadataMaxAgeMs, signal)
      if (signal.aborted) return
      await this.look(runtime.clock.now() + settings.requestTimeoutMs).catch((failure: unknown) => {
        if (signal.aborted) return
        settings.logger.debug({ error: String(failure) }, 'looking for topics that match failed; tried again later')
      })
    }
  }

  async #look(deadline: number): Promise<void> {
    const { cluster } = this.#context
    const { signal } = this.#closed
    const { topics, brokers } = await cluster.anyBroker({ api: 'metadata', topics: null }, deadline, signal)
    const now = new Set<string>()
    const others = new Set<string | null>()
    for (const { name, topicId, isInternal, errorCode } of topics) {
      const isSeen = judgeTopicCode(errorCode) === 'known' || this.#found.has(name)
      if (!isInternal && isSeen && this.#matches(name)) now.add(name)
      else if (!this.#isNamed(name)) others.add(topicId)
    }
    this.#others = others
    const missing = [...this.#found].filter((name) => !now.has(name))
    const denied = missing.length === 0 ? [] : await this.#deniedByAll(missing, brokers, deadline)
    for (const name of missing) if (!denied.includes(name)) now.add(name)
    const found = [...now].filter((name) => !this.#found.has(name))
    if (found.length === 0 && denied.length === 0) return
    // Leaders and partitions of what is new, before anybody asks for them.
    if (found.length > 0) await cluster.refresh(found, deadline)
    if (!signal.aborted) this.#take(now, found, denied)
  }

  #take(now: ReadonlySet<string>, found: readonly string[], gone: readonly string[]): void {
    const { topics, logger } = this.#context.settings
    this.#found = now
    this.#names = [...topics, ...[...now].sort()]
    logger.info({ found, gone }, 'the topics that match a pattern are others now')
    for (const listener of [...this.#listeners]) listener()
  }

  /** Of one broker's word alone no topic goes: it may lag. */
  async #deniedByAll(
    names: readonly string[],
    brokers: readonly Pick<Broker, 'nodeId'>[],
    deadline: number,
  ): Promise<readonly string[]> {
    const { connection } = this.#context.cluster
    const request = { api: 'metadata', topics: names } as const
    const asked = brokers.map(({ nodeId }) =>
      connection.request(nodeId, 'metadata', request, deadline, this.#closed.signal).catch(() => null),
    )
    const answers = (await Promise.all(asked)).filter((answer) => answer !== null)
    const isDenied = (name: string, { topics }: MetadataAnswer) =>
      topics.some((topic) => topic.name === name && judgeTopicCode(topic.errorCode) === 'denied')
    return answers.length === 0 ? [] : names.filter((name) => answers.every((answer) => isDenied(name, answer)))
  }

  #isNamed(name: string): boolean {
    return this.#context.settings.topics.includes(name)
  }

  #matches(name: string): boolean {
    const { matching } = this.#context.settings
    if (matching === undefined || this.#isNamed(name) || matching.except.includes(name)) return false
    return matching.patterns.some((pattern) => pattern.test(name))
  }
}
