import type { DelayTopics } from '../consumer/options/delay-topics.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { Producer } from '../producer/producer.js'
import { KeptOrder } from './kept-order.js'
import { publishTo, type JoinDelayed } from './publishing.js'
import type { RetryLaterSettings } from './settings.js'
import { Unordered } from './unordered.js'

/** What is asked of the cluster. */
interface ClusterView {
  listOffsets(
    partitions: readonly TopicPartition[],
    position: 'latest',
    options: { readonly timeoutMs: number },
  ): Promise<readonly number[]>
}

/** Both throw when all is closed. */
interface RetryLaterParts {
  /** Stores with acks=all and idempotence. */
  readonly producer: () => Pick<Producer, 'send'>
  readonly cluster: () => ClusterView
  /** Puts what is put off into the transaction of the consumer. */
  readonly join?: JoinDelayed | undefined
}

/** Then it is asked again. */
const askMs = 5_000

/**
 * The ladder's rung for retries out of place. A record that failed in place is put on a delay topic, and its partition goes
 * on. The topic's partition of the same number is read along, and the record handled again when it is its time, as if it
 * came from where it came from. What fails there goes to the next delay topic, and behind the last one down the ladder.
 */
export function retryLater(
  { group, levels, order, lanes }: Pick<RetryLaterSettings, 'group' | 'levels' | 'order' | 'lanes'>,
  { producer, cluster, join }: RetryLaterParts,
): DelayTopics {
  const settings: RetryLaterSettings = {
    group,
    levels,
    order,
    lanes,
    publish: publishTo(levels.topics, producer, join),
    endsOf: async (partitions) => cluster().listOffsets(partitions, 'latest', { timeoutMs: askMs }),
  }
  return {
    ofTopic: levels.ofTopic,
    definitions: () => levels.definitions(),
    begin: (parts) => (order === 'key' ? new KeptOrder(settings, parts) : new Unordered(settings, parts)),
  }
}
