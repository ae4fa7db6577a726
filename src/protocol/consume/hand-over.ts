import type {
  AssignedPartition,
  ConsumerListener,
  ConsumerSettings,
  PositionReset,
  StartPosition,
} from '../../driver/consumer.js'
import { StateError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { Cutoff } from '../../runtime/cutoff.js'
import { deferred } from '../../runtime/deferred.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Cluster } from '../cluster/cluster.js'
import type { Fetcher } from '../fetch/fetcher.js'
import { findStartingPoints, type StartingPoint } from '../offsets/starting-points.js'

type HandOverSettings = Pick<
  ConsumerSettings,
  'groupId' | 'isolation' | 'onOutOfRange' | 'requestTimeoutMs' | 'logger' | 'metrics'
>

/** Partitions on their way back to the group. */
interface HandBack {
  readonly cutoff: Cutoff
  /** What the listener was asked to give up. */
  told: readonly AssignedPartition[]
  readonly ended: Promise<void>
}

/**
 * What is ours now, and under which epoch. Hands partitions to the listener and the fetcher, and takes them back: after
 * `revoke` or `lose` nothing of the old assignment is read or committed.
 */
export class HandOver {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: HandOverSettings
  readonly #listener: ConsumerListener
  readonly #fetcher: Fetcher
  readonly #current = new Map<string, AssignedPartition>()
  /** Deliveries that are still looking for positions or wait for the listener. */
  readonly #deliveries = new Set<Promise<void>>()
  #tenure = new AbortController()
  #handBack: HandBack | null = null
  #epoch = 0

  constructor(
    cluster: Cluster,
    runtime: Runtime,
    settings: HandOverSettings,
    listener: ConsumerListener,
    fetcher: Fetcher,
  ) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#settings = settings
    this.#listener = listener
    this.#fetcher = fetcher
  }

  all(): readonly AssignedPartition[] {
    return [...this.#current.values()]
  }

  isCurrent({ topic, partition }: TopicPartition, epoch: number): boolean {
    return this.#current.get(partitionKey(topic, partition))?.epoch === epoch
  }

  /** As the listener was told; `undefined` when that is over. */
  assigned({ topic, partition }: TopicPartition, epoch: number): AssignedPartition | undefined {
    const current = this.#current.get(partitionKey(topic, partition))
    return current?.epoch === epoch ? current : undefined
  }

  /** Aborts when what is assigned now is given up or gone. */
  get tenure(): AbortSignal {
    return this.#tenure.signal
  }

  /** Delivers partitions as their positions become known. `first` is called once something (or nothing at all) was delivered. */
  async take(partitions: readonly TopicPartition[], from: StartPosition, first: () => void): Promise<void> {
    const delivery = this.#deliver(partitions, from, first)
    this.#deliveries.add(delivery)
    try {
      await delivery
    } finally {
      this.#deliveries.delete(delivery)
    }
  }

  /** The same partition again, under a new epoch and at another position: what was read before counts no more. */
  reset(former: AssignedPartition, reset: PositionReset, leaderEpoch: number): void {
    if (!this.isCurrent(former, former.epoch)) return
    this.#epoch += 1
    const { topic, partition } = former
    const topicId = this.#cluster.topic(topic)?.topicId ?? null
    const log = this.#cluster.logOf(topic, topicId)
    const assigned = { topic, partition, epoch: this.#epoch, position: reset.to, committed: null, log }
    this.#fetcher.remove([former])
    this.#current.set(partitionKey(topic, partition), assigned)
    this.#fetcher.hold([assigned], [{ topicId, leaderEpoch }])
    this.#listener.reset(former, assigned, reset)
    this.#fetcher.release([assigned])
  }

  /**
   * Stops intake, then waits for the listener, at most until `deadline`; called again meanwhile it ends by the earlier
   * of both. Never rejects.
   */
  revoke(deadline: number): Promise<void> {
    const handBack = this.#handBack
    if (handBack === null) return this.#giveBack(deadline)
    if (deadline < handBack.cutoff.at) {
      handBack.cutoff.bringForward(deadline)
      if (handBack.told.length > 0) void this.#listener.revoked(handBack.told, deadline) // never rejects; waited for below
    }
    return handBack.ended
  }

  async #giveBack(deadline: number): Promise<void> {
    const { promise: ended, resolve: end } = deferred<void>()
    const handBack: HandBack = { cutoff: new Cutoff(this.#runtime.clock, deadline), told: [], ended }
    this.#handBack = handBack
    this.#endTenure()
    const partitions = this.all()
    this.#fetcher.remove(partitions)
    const late = handBack.cutoff.reached.then(() => 'late' as const)
    // The listener hears of the end of an assignment only after it has taken in its beginning.
    const begun = Promise.allSettled(this.#deliveries).then(() => 'begun' as const)
    if ((await Promise.race([begun, late])) === 'late') {
      // Lost and assigned anew meanwhile: what is held now is none of this revoke's.
      if (this.#handBack === handBack) this.lose()
    } else if (partitions.length > 0 && this.#handBack === handBack) await this.#drain(partitions, handBack, late)
    handBack.cutoff.cancel()
    if (this.#handBack === handBack) this.#handBack = null
    end()
  }

  async #drain(partitions: readonly AssignedPartition[], handBack: HandBack, late: Promise<'late'>): Promise<void> {
    handBack.told = partitions
    const drained = this.#listener.revoked(partitions, handBack.cutoff.at).then(() => 'drained' as const)
    const end = await Promise.race([drained, late])
    // What went lost meanwhile is somebody else's, and nobody waits for this any more.
    if (this.#handBack !== handBack) return
    if (end === 'late') {
      this.#settings.logger.warn(
        { partitions: partitions.length },
        'drain was not done in time; records may be repeated',
      )
    }
    this.#forget(partitions)
  }

  /** Everything is gone already. */
  lose(): void {
    this.#handBack?.cutoff.bringForward(this.#runtime.clock.now())
    this.#handBack = null
    this.#endTenure()
    const partitions = this.all()
    this.#fetcher.remove(partitions)
    this.#forget(partitions)
    if (partitions.length > 0) this.#listener.lost(partitions)
  }

  #endTenure(): void {
    this.#tenure.abort(new StateError('assignment-over', 'the assignment is over'))
    this.#tenure = new AbortController()
  }

  #forget(partitions: readonly AssignedPartition[]): void {
    for (const { topic, partition, epoch } of partitions) {
      if (this.isCurrent({ topic, partition }, epoch)) this.#current.delete(partitionKey(topic, partition))
    }
  }

  async #deliver(partitions: readonly TopicPartition[], from: StartPosition, first: () => void): Promise<void> {
    const signal = this.tenure
    const points = findStartingPoints(this.#cluster, this.#runtime, this.#settings, partitions, from, signal)
    for await (const found of points) {
      if (signal.aborted) return
      await this.#handOver(found, signal)
      first()
    }
    if (partitions.length === 0 && !signal.aborted) first()
  }

  async #handOver(points: readonly StartingPoint[], signal: AbortSignal): Promise<void> {
    const epoch = (this.#epoch += 1)
    const assigned = points.map((point) => this.#assignedAt(point, epoch))
    for (const partition of assigned) {
      this.#current.set(partitionKey(partition.topic, partition.partition), partition)
    }
    this.#fetcher.hold(assigned, points)
    await this.#listener.assigned(assigned)
    if (signal.aborted) return
    for (const [index, { error }] of points.entries()) {
      const partition = assigned[index]
      if (error !== null && partition !== undefined) this.#fetcher.fail(partition, error)
    }
    this.#fetcher.release(assigned)
  }

  #assignedAt({ topic, partition, position, committed }: StartingPoint, epoch: number): AssignedPartition {
    const logNow = (assigned: AssignedPartition) => this.#cluster.logOf(topic, this.#fetcher.topicIdOf(assigned))
    return {
      topic,
      partition,
      epoch,
      position,
      committed,
      get log() {
        return logNow(this)
      },
    }
  }
}
