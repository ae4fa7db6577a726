import { brokerError } from '../../connection/broker-error.js'
import type { ConnectionFactory } from '../../connection/connection.js'
import type { NamedError } from '../../connection/requests/admin.js'
import type { CommittedPartition } from '../../connection/requests/offsets.js'
import { StateError } from '../../errors.js'
import { heldRecords, type OutgoingRecord, type ReceivedRecord } from '../../message/record.js'
import { systemRuntime, type Runtime } from '../../runtime/runtime.js'
import { builtInProblem } from '../../wire/compression.js'
import { createTopic, growTopic } from './broker/administration.js'
import { Broker } from './broker/broker.js'
import { MetadataViews } from './broker/metadata-views.js'
import { ClusterState } from './cluster/cluster-state.js'
import { FaultRules } from './network/fault-rules.js'
import { ClusterFaults, FaultCounter, type Faults } from './faults.js'
import { GroupCoordinators, type GroupFacts } from './group/group-coordinators.js'
import {
  requireClusterOptions,
  requireTopicOptions,
  type MemoryClusterOptions,
  type TopicOptions,
} from './memory-options.js'
import { MemoryConnection } from './network/memory-connection.js'
import { Network } from './network/network.js'
import type { Partition, PartitionLogFacts } from './log/partition.js'
import type { StoredBatch } from './log/stored-batch.js'
import type { TransactionState } from './transactions/transaction.js'
import { TransactionCoordinators } from './transactions/transaction-coordinators.js'

/** A record in a log with what is known of its producer. */
export interface StoredRecord extends ReceivedRecord {
  /** -1 without idempotence. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly isTransactional: boolean
}

/** What a coordinator has on record of one transactional id. */
export interface MemoryTransaction {
  readonly state: TransactionState
  readonly coordinator: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly timeoutMs: number
  /** What is in the open transaction, as text: `orders-0`, `offsets of billing`. */
  readonly writesTo: readonly string[]
}

const defaultBrokers = 3

/** An in-process Kafka cluster that answers typed requests. Topics are never created by asking for them. */
export class MemoryCluster {
  readonly faults: Faults
  readonly runtime: Runtime
  readonly #cluster: ClusterState
  readonly #groups: GroupCoordinators
  readonly #transactions: TransactionCoordinators
  readonly #network: Network
  readonly #connections = new Set<MemoryConnection>()
  readonly #transactionalIds = new Map<string, number>()

  /** @internal */
  constructor(options: MemoryClusterOptions = {}) {
    const brokers = options.brokers ?? defaultBrokers
    const latencyMs = options.latencyMs ?? 0
    this.runtime = options.runtime ?? systemRuntime
    this.#cluster = new ClusterState(
      {
        clusterId: options.clusterId ?? 'memory',
        brokers,
        minInsyncReplicas: options.minInsyncReplicas ?? Math.min(2, brokers),
        replicationFactor: options.replicationFactor ?? Math.min(3, brokers),
        partitions: options.partitions ?? 1,
        maxMessageBytes: options.maxMessageBytes ?? 1_048_576,
        offsetMetadataMaxBytes: options.offsetMetadataMaxBytes ?? 4_096,
        replicationDelayMs: options.replicationDelayMs ?? 0,
        failoverMs: options.failoverMs ?? 0,
        initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? 0,
        minSessionTimeoutMs: options.minSessionTimeoutMs ?? 6_000,
        maxSessionTimeoutMs: 1_800_000,
        consumerSessionTimeoutMs: options.consumerSessionTimeoutMs ?? 45_000,
        consumerHeartbeatIntervalMs: options.consumerHeartbeatIntervalMs ?? 5_000,
        markerDelayMs: options.markerDelayMs ?? 0,
        transactionCheckMs: options.transactionCheckMs ?? 10_000,
        maxTransactionTimeoutMs: options.maxTransactionTimeoutMs ?? 900_000,
        firstProducerEpoch: options.firstProducerEpoch ?? 0,
        racks: options.racks ?? [],
      },
      this.runtime,
      options.transactionVersion ?? 2,
      options.groupVersion ?? 1,
    )
    this.#groups = new GroupCoordinators(this.#cluster)
    this.#transactions = new TransactionCoordinators(this.#cluster, this.#groups)
    const rules = new FaultRules(this.runtime.random)
    const counter = new FaultCounter()
    const views = new MetadataViews(this.#cluster)
    this.#network = new Network(
      this.#cluster,
      this.#cluster.nodes.map((node) => new Broker(node, this.#cluster, this.#groups, this.#transactions, views)),
      rules,
      typeof latencyMs === 'number' ? [latencyMs, latencyMs] : latencyMs,
      (kind) => counter.note(kind),
    )
    this.faults = new ClusterFaults(
      this.#cluster,
      this.#groups,
      this.#transactions,
      this.#network,
      rules,
      views,
      counter,
    )
  }

  /** @internal */
  connectionFactory(): ConnectionFactory {
    return {
      name: 'memory',
      compressionProblem: (compression) => builtInProblem(compression),
      open: (owner) => {
        const connection: MemoryConnection = new MemoryConnection(this.#network, owner, () =>
          this.#connections.delete(connection),
        )
        this.#connections.add(connection)
        return connection
      },
    }
  }

  // ── Topics ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Makes a topic at once, with the broker's own defaults for what is not given.
   *
   * @throws DriverError with the broker's code when the topic exists or the broker refuses its settings.
   */
  createTopic(name: string, options: TopicOptions = {}): void {
    requireTopicOptions(name, options)
    const { partitions = -1, replicationFactor = -1, configs = {} } = options
    throwRefusal('creating', createTopic(this.#cluster, { name, partitions, replicationFactor, configs }, false))
  }

  /** With all its records, and what groups have committed of it. */
  deleteTopic(name: string): void {
    this.#cluster.removeTopic(name)
    this.#groups.forgetTopic(name)
  }

  /**
   * Grows a topic to `count` partitions.
   *
   * @throws DriverError with the broker's code when there is no such topic, it has as many partitions already, or fewer
   * brokers are up than its replicas need.
   */
  addPartitions(name: string, count: number): void {
    throwRefusal('growing', growTopic(this.#cluster, name, count))
  }

  /** In the order in which they were made. */
  topicNames(): readonly string[] {
    return [...this.#cluster.topics.keys()]
  }

  /** 0 when there is no such topic. */
  partitionCount(topic: string): number {
    return this.#cluster.topics.get(topic)?.partitions.length ?? 0
  }

  // ── Logs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Every record in the leader's log, also those above the high watermark and of aborted transactions. */
  records(topic: string, partition: number): readonly StoredRecord[] {
    return this.batches(topic, partition).flatMap(({ decode, producerId, producerEpoch, isTransactional }) =>
      decode().map((record) => ({ ...record, producerId, producerEpoch, isTransactional })),
    )
  }

  /** The leader's log as it is stored, batch by batch. */
  batches(topic: string, partition: number): readonly StoredBatch[] {
    return this.#partition(topic, partition).log.batches
  }

  /** Who leads, who is in sync, and how far the log goes. */
  partitionFacts(topic: string, partition: number): PartitionLogFacts {
    return this.#partition(topic, partition).facts
  }

  /** Takes out the records that `keep` refuses; their offsets become holes. */
  compact(topic: string, partition: number, keep: (record: ReceivedRecord) => boolean): void {
    this.#partition(topic, partition).log.compact(keep)
  }

  /** The log starts at `offset` from now on. */
  deleteRecordsBefore(topic: string, partition: number, offset: number): void {
    this.#partition(topic, partition).log.deleteBefore(offset)
  }

  /** Forgets producer ids, epochs and sequences, as a broker does when they expire. */
  expireProducers(topic: string, partition: number): void {
    this.#partition(topic, partition).log.ledger.clear()
  }

  /**
   * Appends a transaction's records and its marker, as a transactional producer would have; `'open'` leaves the marker
   * out, so that the last stable offset stays before it until `endTransaction`.
   *
   * @param transactionalId one id keeps one producer id, as a producer does over its transactions; without it the producer
   * is another each time.
   */
  appendTransaction(
    topic: string,
    partition: number,
    records: readonly OutgoingRecord[],
    outcome: 'commit' | 'abort' | 'open',
    transactionalId?: string,
  ): { readonly producerId: number; readonly firstOffset: number } {
    const target = this.#partition(topic, partition)
    const producerId = this.#producerIdOf(transactionalId)
    const baseSequence = target.log.ledger.nextSequenceOf(producerId)
    const origin = { producerId, producerEpoch: 0, baseSequence, isTransactional: true }
    const { baseOffset } = target.append(heldRecords(records), origin)
    if (outcome !== 'open') target.appendMarker(outcome, producerId, 0)
    return { producerId, firstOffset: baseOffset }
  }

  /** Ends a transaction that `appendTransaction` left open. */
  endTransaction(topic: string, partition: number, producerId: number, outcome: 'commit' | 'abort'): void {
    this.#partition(topic, partition).appendMarker(outcome, producerId, 0)
  }

  // ── Groups ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the group has committed; nothing of a group that nobody has used. */
  committed(groupId: string): readonly CommittedPartition[] {
    return this.#groups.committed(groupId)
  }

  /** Stores an offset for the group as a tool does that copies commits, whoever is a member. */
  restoreCommit(groupId: string, commit: CommittedPartition): void {
    this.#groups.restore(groupId, commit)
  }

  /** `undefined` when nobody has used the group. */
  group(groupId: string): GroupFacts | undefined {
    return this.#groups.facts(groupId)
  }

  /** Of all groups that were ever used. */
  groupIds(): readonly string[] {
    return this.#groups.groupIds()
  }

  /** The number of the broker that coordinates the group. */
  coordinatorOf(groupId: string): number {
    return this.#groups.coordinatorOf(groupId)
  }

  // ── Transactions ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the coordinator has on record of the transactional id; `undefined` when nobody has used it. */
  transaction(transactionalId: string): MemoryTransaction | undefined {
    const facts = this.#transactions.facts(transactionalId)
    if (facts === undefined) return undefined
    const { transaction, coordinator } = facts
    return {
      state: transaction.state,
      coordinator,
      producerId: transaction.producerId,
      producerEpoch: transaction.epoch,
      timeoutMs: transaction.timeoutMs,
      writesTo: [...transaction.participants.keys()],
    }
  }

  /** Of all ids that a coordinator has on record. */
  transactionalIds(): readonly string[] {
    return this.#transactions.all().map(({ transactionalId }) => transactionalId)
  }

  /** Forgets an id that has no transaction open, as Kafka does after seven idle days; false when there is none. */
  expireTransactionalId(transactionalId: string): boolean {
    return this.#transactions.expire(transactionalId)
  }

  /** Raises, or lowers, what the cluster has agreed on as `transaction.version`. */
  agreeOnTransactionVersion(level: 0 | 1 | 2): void {
    this.#cluster.agreeOnTransactionVersion(level)
  }

  /** Closes every connection and cancels every timer, so that nothing keeps the process alive. */
  async close(): Promise<void> {
    for (const connection of [...this.#connections]) await connection.close()
    this.#groups.close()
    this.#transactions.close()
  }

  #producerIdOf(transactionalId: string | undefined): number {
    const known = transactionalId === undefined ? undefined : this.#transactionalIds.get(transactionalId)
    if (known !== undefined) return known
    const producerId = this.#cluster.takeProducerId()
    if (transactionalId !== undefined) this.#transactionalIds.set(transactionalId, producerId)
    return producerId
  }

  #partition(topic: string, partition: number): Partition {
    const found = this.#cluster.partition(topic, partition)
    if (found === undefined) throw new StateError('unknown-partition', `there is no partition ${topic}-${partition}`)
    return found
  }
}

function throwRefusal(doing: string, { name, errorCode, errorMessage }: NamedError): void {
  if (errorCode === 0) return
  throw brokerError(errorCode, `${doing} topic ${name} (${errorMessage ?? 'no reason given'})`, { topic: name })
}

/** Throws `ConfigError` with every problem of the options. */
export function createMemoryCluster(options: MemoryClusterOptions = {}): MemoryCluster {
  requireClusterOptions(options, defaultBrokers)
  return new MemoryCluster(options)
}
