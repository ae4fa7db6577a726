import type { TopicPartition } from '../message/topic-partition.js'
import type { DelayLevels } from './delay-levels.js'
import type { PublishDelayed } from './put-off.js'

export interface RetryLaterSettings {
  readonly group: string
  readonly levels: DelayLevels
  /** `key`: what follows in a key waits with what failed. */
  readonly order: 'key' | 'none'
  /** What waits for its turn while a record waits in its place. */
  readonly lanes: 'partition' | 'key' | 'none'
  readonly publish: PublishDelayed
  /** The ends of these partitions as they are from now on. */
  readonly endsOf: (partitions: readonly TopicPartition[]) => Promise<readonly number[]>
}
