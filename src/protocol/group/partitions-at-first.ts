import type { StartPosition } from '../../driver/consumer.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Logger } from '../../telemetry/logger.js'
import type { Cluster } from '../cluster/cluster.js'

interface Settings {
  readonly topics: readonly string[]
  readonly from: StartPosition
  readonly requestTimeoutMs: number
  readonly logger: Logger
}

/**
 * How many partitions the topics had when this member first belonged to its group. What appears beyond that was written
 * while we were reading: nothing of it may be passed over, wherever the group started.
 */
export class PartitionsAtFirst {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: Settings
  #counts: ReadonlyMap<string, number> | null = null

  constructor(cluster: Cluster, runtime: Runtime, settings: Settings) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#settings = settings
  }

  /** Asks the cluster, once it is needed and until it is known. Never rejects. */
  async learn(): Promise<void> {
    const { topics, from, requestTimeoutMs, logger } = this.#settings
    if (from === 'earliest' || this.#counts !== null) return
    try {
      await this.#cluster.refresh(topics, this.#runtime.clock.now() + requestTimeoutMs)
      this.#counts ??= new Map(topics.map((topic) => [topic, this.#cluster.topic(topic)?.partitions.length ?? 0]))
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
