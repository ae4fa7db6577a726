import type { PartitionById } from '../../../connection/requests/consumer-groups.js'
import { pause } from '../../../runtime/pause.js'
import { withinDeadline } from '../../../runtime/within-deadline.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import type { OwnedById } from './owned-by-id.js'
import type { Subscription } from './subscription.js'

/** Names of the topics that a coordinator tells by id. It may know one earlier than the brokers that we asked. */
export class TopicNames {
  readonly #context: ConsumeContext
  readonly #subscription: Subscription
  /** Topics without a name, and since when. */
  #nameless: ReadonlyMap<string, number> = new Map()
  /** The question that is out. */
  #asked: Promise<true> | null = null

  constructor(context: ConsumeContext, subscription: Subscription) {
    this.#context = context
    this.#subscription = subscription
  }

  /** Those whose topic is known. */
  named(partitions: readonly PartitionById[]): readonly OwnedById[] {
    const { cluster, settings } = this.#context
    const names = new Map(settings.topics.map((topic) => [cluster.topic(topic)?.topicId ?? null, topic]))
    return partitions.flatMap(({ topicId, partition }) => {
      const topic = names.get(topicId)
      return topic === undefined ? [] : [{ topicId, topic, partition }]
    })
  }

  /**
   * Asks for what is not known; after the first time it waits a little. Resolves to false when `signal` aborts before that
   * has ended; the next call then waits for the same answer. Never rejects.
   */
  async lookUp(attempt: number, signal: AbortSignal): Promise<boolean> {
    const { runtime, settings } = this.#context
    const { clock } = runtime
    if (attempt > 1) await pause(clock, brokerBackoff(attempt - 1, runtime.random), signal)
    if (signal.aborted) return false
    this.#asked ??= this.#ask(clock.now() + settings.requestTimeoutMs)
    const bounded = { clock, deadline: Infinity, signal, onLate: () => false }
    return withinDeadline(this.#asked, bounded).catch(() => false) // rejects for the signal alone
  }

  /**
   * What brokers gave us by pattern and we cannot read, nobody reads: a topic that is not meant here, or one that brokers do
   * not name to us for the time of a request, since not every member may describe it. The pattern is then evaluated here
   * from now on. Says whether that is new.
   *
   * @param given what is meant for us and not ours yet
   */
  giveUp(given: readonly PartitionById[]): boolean {
    const { known, runtime, settings } = this.#context
    const now = runtime.clock.now()
    const named = new Set(this.named(given).map(({ topicId }) => topicId))
    const nameless = given.map(({ topicId }) => topicId).filter((topicId) => !named.has(topicId))
    this.#nameless = new Map(nameless.map((topicId) => [topicId, this.#nameless.get(topicId) ?? now]))
    if (nameless.some((topicId) => known?.isOther(topicId) === true)) {
      return this.#subscription.evaluateHere('brokers gave us a topic that is not meant here')
    }
    const isLate = [...this.#nameless.values()].some((since) => now - since >= settings.requestTimeoutMs)
    const why = 'brokers gave us a topic and do not name it to us: all members of a group need DESCRIBE on its topics'
    return isLate && this.#subscription.evaluateHere(why)
  }

  /** Resolves to true when that has ended. Never rejects. */
  async #ask(deadline: number): Promise<true> {
    const { cluster, known, settings } = this.#context
    try {
      if (this.#subscription.isByBrokers) await known?.look(deadline)
      await cluster.refresh(settings.topics, deadline)
    } catch (failure) {
      this.#nameless = new Map() // nobody has said anything of them
      settings.logger.debug({ error: String(failure) }, 'the names of assigned topics are not known yet')
    }
    this.#asked = null
    return true
  }
}
