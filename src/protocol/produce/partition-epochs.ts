import type { DriverError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { Cluster } from '../cluster/cluster.js'
import type { Identity, IdentityRefusal, IdentityWaiter, PartitionIdentity, Stamp } from './identity.js'
import { PartitionSequence, type ProducerIdentity } from './partition-sequence.js'
import { ProducerIds, type ProducerIdWaiter } from './producer-id.js'

export interface PartitionEpochsParts {
  readonly cluster: Cluster
  readonly runtime: Runtime
  readonly settings: Telemetry & { readonly requestTimeoutMs: number }
}

/** One producer id for all partitions, and an epoch for each: a partition in doubt raises its own, the others go on. */
export class PartitionEpochs implements Identity {
  readonly transaction = null
  readonly #ids: ProducerIds
  readonly #settings: PartitionEpochsParts['settings']
  readonly #partitions = new Map<string, PartitionEpoch[]>()

  constructor({ cluster, runtime, settings }: PartitionEpochsParts) {
    this.#settings = settings
    // Time for every broker of a small cluster to be silent once.
    this.#ids = new ProducerIds(cluster, runtime, 3 * settings.requestTimeoutMs)
  }

  of({ topic, partition }: TopicPartition): PartitionIdentity {
    let partitions = this.#partitions.get(topic)
    if (partitions === undefined) this.#partitions.set(topic, (partitions = []))
    return (partitions[partition] ??= new PartitionEpoch({ topic, partition }, this.#ids, this.#settings))
  }

  close(): void {
    this.#ids.close()
  }
}

class PartitionEpoch implements PartitionIdentity, ProducerIdWaiter {
  readonly isTransactional = false
  readonly #place: TopicPartition
  readonly #ids: ProducerIds
  readonly #settings: PartitionEpochsParts['settings']
  readonly #sequence = new PartitionSequence()
  #waiter: IdentityWaiter | null = null

  constructor(place: TopicPartition, ids: ProducerIds, settings: PartitionEpochsParts['settings']) {
    this.#place = place
    this.#ids = ids
    this.#settings = settings
  }

  ready(waiter: IdentityWaiter): boolean {
    if (this.#sequence.identity !== null) return true
    if (this.#ids.current !== null) {
      this.#sequence.adopt(this.#ids.current)
      return true
    }
    this.#waiter = waiter
    this.#ids.wait(this)
    return false
  }

  stopWaiting(waiter: IdentityWaiter): void {
    if (this.#waiter !== waiter) return
    this.#waiter = null
    this.#ids.stopWaiting(this)
  }

  idGiven(identity: ProducerIdentity): void {
    this.#sequence.adopt(identity)
    this.#takeWaiter()?.identityReady()
  }

  idRefused(problem: DriverError): void {
    this.#takeWaiter()?.identityRefused(problem)
  }

  idDelayed(problem: DriverError): void {
    this.#waiter?.identityDelayed(problem)
  }

  stamp(): Stamp {
    return this.#sequence.stamp()
  }

  stored(recordCount: number): void {
    const { identity } = this.#sequence
    this.#sequence.stored(recordCount)
    if (identity !== null && this.#sequence.identity === null) this.#ids.retire(identity.producerId)
  }

  doubt(reason: string): void {
    this.#raiseEpoch(reason)
  }

  refused(refusal: IdentityRefusal, reason: string): 'go-again' | 'give-up' {
    if (refusal === 'lost-state') {
      this.#raiseEpoch(reason)
      return 'go-again'
    }
    const { identity } = this.#sequence
    if (identity !== null) this.#ids.retire(identity.producerId)
    this.#sequence.dropIdentity()
    return 'give-up'
  }

  #takeWaiter(): IdentityWaiter | null {
    const waiter = this.#waiter
    this.#waiter = null
    return waiter
  }

  #raiseEpoch(reason: string): void {
    const { identity } = this.#sequence
    if (identity === null) return
    this.#sequence.raiseEpoch()
    // Whoever takes the same id afresh would start at an epoch that this partition has left behind.
    if (this.#sequence.identity === null) this.#ids.retire(identity.producerId)
    const { topic, partition } = this.#place
    tell(this.#settings, { kind: 'epoch-raised', topic, partition, reason })
  }
}
