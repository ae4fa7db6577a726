import type { Connection } from '../../connection/connection.js'
import type { BatchOutcome, DriverProducer, OutgoingBatch, ProducerSettings } from '../../driver/producer.js'
import { DriverError } from '../../errors.js'
import { LinkedSet } from '../../runtime/linked-set.js'
import type { Runtime } from '../../runtime/runtime.js'
import { Cluster } from '../cluster/cluster.js'
import { BatchDelivery, type BatchDeliveryParts, type PartitionParts } from './batch-delivery.js'
import { BrokerQueue } from './broker-queue.js'
import { Deadlines } from './deadlines.js'
import { DelayedDeliveries } from './delayed-deliveries.js'
import type { Identity } from './identity.js'
import { LastStored } from './last-stored.js'
import { loadTopic } from './load-topic.js'
import { NoIdentity } from './no-identity.js'
import { PartitionEpochs, type PartitionEpochsParts } from './partition-epochs.js'

/** A producer over any connection: it owns producer id, epochs, sequences, attempts and what their answers mean. */
export function createProtocolProducer(
  connection: Connection,
  runtime: Runtime,
  settings: ProducerSettings,
  identify: Identify = settings.idempotent ? (parts) => new PartitionEpochs(parts) : () => new NoIdentity(),
): DriverProducer {
  return new ProtocolProducer(connection, runtime, settings, identify)
}

/** Makes the identity of one producer. */
export type Identify = (parts: PartitionEpochsParts) => Identity

class ProtocolProducer implements DriverProducer, BatchDeliveryParts {
  readonly runtime: Runtime
  readonly settings: ProducerSettings
  readonly cluster: Cluster
  readonly delayed: DelayedDeliveries
  readonly #identity: Identity
  readonly #queues = new Map<number, BrokerQueue>()
  readonly #partitions = new Map<string, PartitionParts[]>()
  readonly #deliveries = new LinkedSet<BatchDelivery>()
  readonly #deadlines: Deadlines
  readonly #stopListening: () => void
  readonly #closed = new AbortController()
  #closing: Promise<void> | null = null

  constructor(connection: Connection, runtime: Runtime, settings: ProducerSettings, identify: Identify) {
    this.runtime = runtime
    this.settings = settings
    this.cluster = new Cluster(connection, runtime, settings)
    this.delayed = new DelayedDeliveries(settings)
    this.#deadlines = new Deadlines(runtime.clock, this.#deliveries)
    this.#identity = identify(this)
    this.#stopListening = this.cluster.onChange(() => {
      for (const delivery of [...this.#deliveries]) delivery.leadersChanged()
    })
  }

  async connect(deadline: number): Promise<void> {
    await this.cluster.connect(deadline)
  }

  partitionCount(topic: string): number | undefined {
    const count = this.cluster.topic(topic)?.partitions.length ?? 0
    return count > 0 ? count : undefined
  }

  hasLeader(topic: string, partition: number): boolean {
    return (this.cluster.partition(topic, partition)?.leader ?? -1) >= 0
  }

  async loadTopic(topic: string, deadline: number): Promise<number> {
    return loadTopic(this.cluster, this.runtime, topic, deadline, this.#closed.signal)
  }

  produce(batch: OutgoingBatch, deadline: number): Promise<BatchOutcome> {
    return new Promise((resolve) => {
      if (this.#closing !== null) {
        const { topic, partition } = batch
        const error = new DriverError('closed', 'the producer was closed', { topic, partition })
        resolve({ outcome: 'not-stored', error })
        return
      }
      const partition = this.#partition(batch.topic, batch.partition)
      const delivery = new BatchDelivery(batch, deadline, partition, this, resolve)
      partition.out = delivery
      this.#deliveries.add(delivery)
      this.#deadlines.watch(deadline)
      delivery.start()
    })
  }

  /** @internal Of one of its deliveries. */
  finished(delivery: BatchDelivery, { outcome }: BatchOutcome): void {
    this.#deliveries.delete(delivery)
    if (this.#deliveries.size === 0) this.#deadlines.rest()
    this.delayed.ended(delivery.outgoing, outcome)
  }

  recall(batch: OutgoingBatch): boolean {
    const out = this.#partitions.get(batch.topic)?.[batch.partition]?.out ?? null
    return out !== null && out.outgoing === batch && out.recall()
  }

  async close(): Promise<void> {
    await (this.#closing ??= this.#close())
  }

  queue(node: number): BrokerQueue {
    const known = this.#queues.get(node)
    if (known !== undefined) return known
    const queue = new BrokerQueue(node, this.cluster.connection, this.runtime.clock, this.settings, this.#identity)
    this.#queues.set(node, queue)
    return queue
  }

  async #close(): Promise<void> {
    this.#closed.abort(new DriverError('closed', 'the producer was closed'))
    this.#stopListening()
    for (const delivery of [...this.#deliveries]) delivery.close()
    this.#identity.close()
    await this.cluster.close()
  }

  #partition(topic: string, partition: number): PartitionParts {
    let partitions = this.#partitions.get(topic)
    if (partitions === undefined) this.#partitions.set(topic, (partitions = []))
    return (partitions[partition] ??= {
      identity: this.#identity.of({ topic, partition }),
      lastStored: new LastStored(),
      out: null,
    })
  }
}
