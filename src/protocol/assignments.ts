import type { AssignedPartition, ConsumerListener, ConsumerSettings, StartPosition } from '../driver/consumer.js'
import { StateError } from '../errors.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import type { Runtime } from '../runtime/runtime.js'
import type { Cluster } from './cluster.js'
import type { Fetcher } from './fetcher.js'
import { findStartingPoints, type StartingPoint } from './offset-start.js'

type AssignmentSettings = Pick<ConsumerSettings, 'groupId' | 'isolation' | 'requestTimeoutMs' | 'logger'>

/**
 * What is ours now, and under which epoch. Hands partitions to the listener and the fetcher, and takes them back: after
 * `revoke` or `lose` nothing of the old assignment is read or committed.
 */
export class Assignments {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: AssignmentSettings
  readonly #listener: ConsumerListener
  readonly #fetcher: Fetcher
  readonly #current = new Map<string, AssignedPartition>()
  /** Deliveries that are still looking for positions or wait for the listener. */
  readonly #deliveries = new Set<Promise<void>>()
  #tenure = new AbortController()
  #epoch = 0

  constructor(
    cluster: Cluster,
    runtime: Runtime,
    settings: AssignmentSettings,
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
  async replace(partition: AssignedPartition, position: number): Promise<void> {
    if (!this.isCurrent(partition, partition.epoch)) return
    this.#fetcher.remove([partition])
    this.#current.delete(partitionKey(partition.topic, partition.partition))
    this.#listener.lost([partition])
    const { topic, partition: number, committed } = partition
    await this.#handOver([{ topic, partition: number, position, committed, error: null }], this.tenure)
  }

  /** Stops intake, then waits for the listener, at most until `deadline`. Never rejects. */
  async revoke(deadline: number): Promise<void> {
    this.#endTenure()
    const after = this.#tenure
    const partitions = this.all()
    this.#fetcher.remove(partitions)
    const timer = new AbortController()
    const late = this.#runtime.clock.sleep(Math.max(0, deadline - this.#runtime.clock.now()), timer.signal).then(
      () => 'late' as const,
      () => 'late' as const, // cancelled below, when nobody listens any more
    )
    // The listener hears of the end of an assignment only after it has taken in its beginning.
    const begun = Promise.allSettled(this.#deliveries).then(() => 'begun' as const)
    if ((await Promise.race([begun, late])) === 'late') {
      // Lost and assigned anew meanwhile: what is held now is none of this revoke's.
      if (this.#tenure === after) this.lose()
    } else if (partitions.length > 0) await this.#drain(partitions, deadline, late)
    timer.abort()
  }

  async #drain(partitions: readonly AssignedPartition[], deadline: number, late: Promise<'late'>): Promise<void> {
    const drained = this.#listener.revoked(partitions, deadline).then(() => 'drained' as const)
    const end = await Promise.race([drained, late])
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
    const assigned = points.map(({ topic, partition, position, committed }): AssignedPartition => {
      return { topic, partition, epoch, position, committed }
    })
    for (const partition of assigned) {
      this.#current.set(partitionKey(partition.topic, partition.partition), partition)
    }
    this.#fetcher.hold(assigned)
    await this.#listener.assigned(assigned)
    if (signal.aborted) return
    for (const [index, { error }] of points.entries()) {
      const partition = assigned[index]
      if (error !== null && partition !== undefined) this.#fetcher.fail(partition, error)
    }
    this.#fetcher.release(assigned)
  }
}
