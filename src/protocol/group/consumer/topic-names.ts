import type { PartitionById } from '../../../connection/requests/consumer-groups.js'
import { pause } from '../../../runtime/pause.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import type { OwnedById } from './owned-by-id.js'

/** Names of the topics that a coordinator tells by id. It may know one earlier than the brokers that we asked. */
export class TopicNames {
  readonly #context: ConsumeContext

  constructor(context: ConsumeContext) {
    this.#context = context
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

  /** Asks for what is not known; after the first time it waits a little. Never rejects. */
  async lookUp(attempt: number, signal: AbortSignal): Promise<void> {
    const { cluster, runtime, settings } = this.#context
    if (attempt > 1) await pause(runtime.clock, brokerBackoff(attempt - 1, runtime.random), signal)
    if (signal.aborted) return
    await cluster
      .refresh(settings.topics, runtime.clock.now() + settings.requestTimeoutMs)
      .catch((failure: unknown) => {
        settings.logger.debug({ error: String(failure) }, 'the names of assigned topics are not known yet')
      })
  }
}
