import type { AssignedPartition } from '../../driver/consumer.js'
import { StateError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { commitMetadataMaxBytes } from '../../offsets/commit-metadata.js'
import type { Clock } from '../../runtime/clock.js'
import type { FormerHandlers } from './former-handlers.js'
import { OwnedPartition, type OwnedPartitionParts, type PartitionStart } from './owned-partition.js'
import type { Place, UserPauses } from './user-pauses.js'

/** The partitions that are ours now. */
export class OwnedPartitions {
  readonly #owned = new Map<string, OwnedPartition>()
  readonly #parts: OwnedPartitionParts
  readonly #clock: Clock
  readonly #pauses: UserPauses
  readonly #former: FormerHandlers
  readonly #onTaken: ((partition: OwnedPartition) => void) | undefined

  /** @param onTaken told of each that is taken, or goes on elsewhere */
  constructor(
    parts: OwnedPartitionParts,
    pauses: UserPauses,
    former: FormerHandlers,
    clock: Clock,
    onTaken?: (partition: OwnedPartition) => void,
  ) {
    this.#onTaken = onTaken
    this.#parts = parts
    this.#pauses = pauses
    this.#former = former
    this.#clock = clock
  }

  get size(): number {
    return this.#owned.size
  }

  get(topic: string, partition: number): OwnedPartition | undefined {
    return this.#owned.get(partitionKey(topic, partition))
  }

  /** Present only under the epoch it was asked for. */
  ofEpoch({ topic, partition, epoch }: TopicPartition & { readonly epoch: number }): OwnedPartition | undefined {
    const owned = this.get(topic, partition)
    return owned?.epoch === epoch ? owned : undefined
  }

  require(place: TopicPartition): OwnedPartition {
    const { topic, partition } = place
    const owned = this.get(topic, partition)
    if (owned !== undefined) return owned
    throw new StateError('not-assigned', `${topic}-${partition} is not assigned to this consumer; see assignment()`, {
      topic,
      partition,
    })
  }

  /**
   * In place of what there was of the same partition, which has left; what its user asked for holds on. Nothing of it begins
   * beside handlers that still run.
   */
  own(assigned: AssignedPartition, start: PartitionStart): OwnedPartition {
    const before = this.get(assigned.topic, assigned.partition)
    if (before !== undefined) this.#former.left(before)
    const owned = new OwnedPartition(assigned, start, this.#parts, this.#clock.now(), commitMetadataMaxBytes)
    this.#owned.set(partitionKey(owned.topic, owned.partition), owned)
    this.#former.hold(owned)
    this.#obey(owned)
    this.#onTaken?.(owned)
    return owned
  }

  /** By the user: what is ours of these places rests or goes on, and so does what comes. */
  setPaused(places: readonly Place[], isPaused: boolean): void {
    this.#pauses.set(places, isPaused)
    for (const owned of this.#owned.values()) this.#obey(owned)
  }

  /** Removes this very object, which has left; one that was put in its place meanwhile stays. */
  remove(owned: OwnedPartition): void {
    const key = partitionKey(owned.topic, owned.partition)
    if (this.#owned.get(key) !== owned) return
    this.#owned.delete(key)
    this.#former.left(owned)
  }

  all(): OwnedPartition[] {
    return [...this.#owned.values()]
  }

  places(): TopicPartition[] {
    return this.all().map(({ topic, partition }) => ({ topic, partition }))
  }

  #obey({ topic, partition, gate }: OwnedPartition): void {
    const isPaused = this.#pauses.has(topic, partition)
    if (isPaused === gate.isClosedBy('user')) return
    if (isPaused) gate.close('user')
    else gate.lift('user')
  }
}
