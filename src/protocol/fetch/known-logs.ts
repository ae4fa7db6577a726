import type { AssignedPartition } from '../../driver/consumer.js'
import type { EpochRange } from '../../offsets/leader-epochs.js'
import type { Cluster } from '../cluster/cluster.js'
import type { FetchCursor } from './fetch-cursor.js'
import { isInAnotherLog } from './place-check.js'

/**
 * What is known of the logs that assigned partitions are read from. Outlives the time in which they are fetched: the last
 * commit comes after that.
 */
export class KnownLogs {
  readonly #cluster: Cluster
  readonly #cursors = new WeakMap<AssignedPartition, FetchCursor>()

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  add(at: AssignedPartition, cursor: FetchCursor): void {
    this.#cursors.set(at, cursor)
  }

  /** Whose log its offsets count in; `null` while brokers do not tell. */
  topicIdOf(at: AssignedPartition): string | null {
    return this.#cursors.get(at)?.topicId ?? null
  }

  /** How often the position was set from outside. */
  seeksOf(at: AssignedPartition): number {
    return this.#cursors.get(at)?.token ?? 0
  }

  /** Which leader wrote the last record before `offset`, as far as it was read; -1 when unknown. */
  leaderEpochBefore(at: AssignedPartition, offset: number): number {
    return this.#cursors.get(at)?.epochs.before(offset) ?? -1
  }

  /** Which leaders wrote what was read from `from` up to `to`. */
  leaderEpochs(at: AssignedPartition, from: number, to: number): readonly EpochRange[] {
    return this.#cursors.get(at)?.epochs.within(from, to) ?? []
  }

  /**
   * Does the offset count in another log, of a topic of that name that brokers have named since the partition was assigned, or
   * beyond where the log was found to be cut?
   */
  isInAnotherLog(at: AssignedPartition, offset: number): boolean {
    const cursor = this.#cursors.get(at)
    if (cursor === undefined) return false
    return offset > (cursor.cutFrom ?? Infinity) || isInAnotherLog(cursor, this.#cluster)
  }
}
