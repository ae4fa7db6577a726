import type { ConsumerSettings } from '../../driver/consumer.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { ClientContext } from '../cluster/client-context.js'

type FirstCountsContext = ClientContext<Pick<ConsumerSettings, 'topics' | 'from' | 'requestTimeoutMs' | 'logger'>>

/**
 * How many partitions the topics had when this member first joined its group. What appears beyond that was written
 * while we were reading: nothing of it may be passed over, wherever the group started.
 */
export class PartitionsAtFirst {
  readonly #context: FirstCountsContext
  #counts: ReadonlyMap<string, number> | null = null

  constructor(context: FirstCountsContext) {
    this.#context = context
  }

  /** Asks the cluster, once it is needed and until it is known. Ends early when `signal` aborts. Never rejects. */
  async learn(signal: AbortSignal): Promise<void> {
    const { cluster, runtime, settings } = this.#context
    const { topics, from, requestTimeoutMs, logger } = settings
    if (from === 'earliest' || this.#counts !== null) return
    try {
      const deadline = runtime.clock.now() + requestTimeoutMs
      const told = cluster.refresh(topics, deadline)
      await withinDeadline(told, { clock: runtime.clock, deadline: Infinity, signal, onLate: () => undefined })
      this.#counts ??= new Map(topics.map((topic) => [topic, cluster.topic(topic)?.partitions.length ?? 0]))
    } catch (failure) {
      logger.debug(
        { topics, error: String(failure) },
        'partition counts are not known yet; asked again at the next join',
      )
    }
  }

  wasAdded({ topic, partition }: TopicPartition): boolean {
    return this.#counts !== null && partition >= (this.#counts.get(topic) ?? 0)
  }
}
