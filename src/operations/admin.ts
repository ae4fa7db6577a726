import type { ResourceType } from '../connection/requests/admin.js'
import type { IsolationLevel } from '../connection/requests/fetch.js'
import type { ClusterDescription, TopicMetadata } from '../connection/requests/metadata.js'
import type { CommittedPartition } from '../connection/requests/offsets.js'
import type {
  DriverAdmin,
  ElectedLeader,
  GroupDescription,
  GroupOffset,
  ListedGroup,
  ListedTransaction,
  OpenTransactionAt,
  PartitionReplicas,
  RecordsToDelete,
  TransactionDescription,
} from '../driver/admin.js'
import type { StartPosition } from '../driver/consumer.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { Clock } from '../runtime/clock.js'
import {
  requireCallOptions,
  requireConfigChanges,
  requireCount,
  requireGroupFilters,
  requireIds,
  requireNames,
  requireNewTopics,
  requireOffsets,
  requirePlaces,
  requirePosition,
  requireRecordsToDelete,
  requireReset,
  requireResourceType,
  requireText,
  requireTransactionFilters,
  withDefaults,
  type AdminCallOptions,
  type ListGroupsOptions,
  type ListTransactionsOptions,
  type NewTopic,
  type ResetOffsetsOptions,
} from './admin-input.js'
import { resetsOf, type OffsetReset } from './group-offsets.js'

/**
 * Looks at the cluster and changes it. Every call is bounded and rejects with a `DriverError` that names the topic or
 * the group it was about; with a `ConfigError` when its input makes no sense.
 */
export class Admin {
  readonly #driver: DriverAdmin
  readonly #clock: Clock

  /** @internal */
  constructor(driver: DriverAdmin, clock: Clock) {
    this.#driver = driver
    this.#clock = clock
  }

  /** Creates the topics that do not exist and resolves to their names; existing ones are left as they are. */
  async createTopics(topics: readonly NewTopic[], options?: AdminCallOptions): Promise<readonly string[]> {
    requireNewTopics('createTopics', topics)
    return this.#driver.createTopics(topics.map(withDefaults), this.#deadline(options))
  }

  /** Deletes the topics with all their records, for good; one that does not exist is no error. */
  async deleteTopics(topics: readonly string[], options?: AdminCallOptions): Promise<void> {
    requireNames('deleteTopics', topics)
    await this.#driver.deleteTopics(topics, this.#deadline(options))
  }

  /** Raises the number of partitions to `count`. Keys move to other partitions: their order starts anew. */
  async createPartitions(topic: string, count: number, options?: AdminCallOptions): Promise<void> {
    requireNames('createPartitions', [topic])
    requireCount('createPartitions', count)
    await this.#driver.createPartitions(topic, count, this.#deadline(options))
  }

  /** The brokers that are up, with their addresses; one that is down is missing. */
  async describeCluster(options?: AdminCallOptions): Promise<ClusterDescription> {
    return this.#driver.describeCluster(this.#deadline(options))
  }

  /** Partitions, leaders and in-sync replicas; topics that do not exist are left out, `null` lists all. */
  async describeTopics(
    topics: readonly string[] | null,
    options?: AdminCallOptions,
  ): Promise<readonly TopicMetadata[]> {
    if (topics !== null) requireNames('describeTopics', topics)
    return this.#driver.describeTopics(topics, this.#deadline(options))
  }

  /**
   * Partitions with fewer replicas in sync than they need, and who else has all that was acknowledged (KIP-966: eligible
   * leader replicas); others are left out, as are topics that do not exist. `null` where brokers do not tell: before Kafka 3.8,
   * and before 4.0 nobody is ever eligible.
   */
  async eligibleLeaders(
    topics: readonly string[],
    options?: AdminCallOptions,
  ): Promise<readonly PartitionReplicas[] | null> {
    requireNames('eligibleLeaders', topics)
    return this.#driver.eligibleLeaders(topics, this.#deadline(options))
  }

  /** Every setting of a topic, a broker or (Kafka 4.0 and newer) a group, by name; secrets are `null`. */
  async describeConfig(
    type: ResourceType,
    name: string,
    options?: AdminCallOptions,
  ): Promise<ReadonlyMap<string, string | null>> {
    requireResourceType('describeConfig', type)
    requireText('describeConfig', 'name', name)
    return this.#driver.describeConfig(type, name, this.#deadline(options))
  }

  /**
   * Changes the settings of a topic, a broker or a group that are named, and no others; `null` makes one what it is where
   * nobody has set it. What the broker refuses is not changed at all.
   *
   * @example
   * await admin.alterConfig('topic', 'orders.dlq', { 'retention.ms': 30 * 86_400_000, 'cleanup.policy': null })
   */
  async alterConfig(
    type: ResourceType,
    name: string,
    changes: Readonly<Record<string, string | number | boolean | null>>,
    options?: AdminCallOptions,
  ): Promise<void> {
    requireResourceType('alterConfig', type)
    requireText('alterConfig', 'name', name)
    requireConfigChanges('alterConfig', changes)
    const texts = Object.entries(changes).map(([key, value]) => [key, value === null ? null : String(value)] as const)
    await this.#driver.alterConfig(type, name, Object.fromEntries(texts), this.#deadline(options))
  }

  /** Deletes what lies before an offset, for good; `-1` is all that is there. Resolves to where each log begins now, in order. */
  async deleteRecords(records: readonly RecordsToDelete[], options?: AdminCallOptions): Promise<readonly number[]> {
    requireRecordsToDelete('deleteRecords', records)
    return this.#driver.deleteRecords(records, this.#deadline(options))
  }

  /** Gives partitions back to their first replicas, where those are in sync, for example after a rolling restart. In order. */
  async electLeaders(
    partitions: readonly TopicPartition[],
    options?: AdminCallOptions,
  ): Promise<readonly ElectedLeader[]> {
    requirePlaces('electLeaders', partitions)
    return this.#driver.electLeaders(partitions, this.#deadline(options))
  }

  /** One offset for each partition, in order: the first or last one, or the first at or after a time. */
  async listOffsets(
    partitions: readonly TopicPartition[],
    position: StartPosition,
    options?: AdminCallOptions & { readonly isolation?: IsolationLevel | undefined },
  ): Promise<readonly number[]> {
    requirePlaces('listOffsets', partitions)
    requirePosition('listOffsets', position)
    const deadline = this.#deadline(options)
    return this.#driver.listOffsets(partitions, position, options?.isolation ?? 'read-uncommitted', deadline)
  }

  /**
   * What a group has committed; partitions without a commit are left out.
   *
   * @param options with `requireStable: false` a transaction with offsets of the group that is open is not waited for: what was
   * committed before it counts. Default true.
   */
  async committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[] | null = null,
    options?: AdminCallOptions & { readonly requireStable?: boolean | undefined },
  ): Promise<readonly CommittedPartition[]> {
    requireText('committedOffsets', 'groupId', groupId)
    if (partitions !== null) requirePlaces('committedOffsets', partitions)
    return this.#driver.committedOffsets(groupId, partitions, this.#deadline(options), options?.requireStable ?? true)
  }

  /**
   * The transactional ids that brokers know, of all states and producers unless some are named, for example
   * `{ states: ['Ongoing'] }`. Kafka 3.0 and newer; shows what this client may describe.
   */
  async listTransactions(options: ListTransactionsOptions = {}): Promise<readonly ListedTransaction[]> {
    const { states = [], producerIds = [], ...call } = options
    requireTransactionFilters('listTransactions', states, producerIds)
    return this.#driver.listTransactions(states, producerIds, this.#deadline(call))
  }

  /** What the coordinators know of transactional ids, in their order; those that nobody knows are left out. Kafka 3.0 and newer. */
  async describeTransactions(
    ids: readonly string[],
    options?: AdminCallOptions,
  ): Promise<readonly TransactionDescription[]> {
    requireIds('describeTransactions', ids)
    return this.#driver.describeTransactions(ids, this.#deadline(options))
  }

  /** The transactions that are open in these partitions: whoever reads committed records waits for them. Kafka 3.0 and newer. */
  async openTransactions(
    partitions: readonly TopicPartition[],
    options?: AdminCallOptions,
  ): Promise<readonly OpenTransactionAt[]> {
    requirePlaces('openTransactions', partitions)
    return this.#driver.openTransactions(partitions, this.#deadline(options))
  }

  /**
   * Groups of all kinds, or those that `states` and `types` name (`{ types: ['consumer'] }`), by Kafka's names. Brokers before
   * Kafka 2.6 tell no states, those before 3.8 take every type for `classic`.
   */
  async listGroups(options: ListGroupsOptions = {}): Promise<readonly ListedGroup[]> {
    const { states = [], types = [], ...call } = options
    requireGroupFilters('listGroups', states, types)
    return this.#driver.listGroups(states, types, this.#deadline(call))
  }

  /** State, coordinator and members of groups, with what each member reads; a group that nobody knows is left out. */
  async describeGroups(groupIds: readonly string[], options?: AdminCallOptions): Promise<readonly GroupDescription[]> {
    requireIds('describeGroups', groupIds, 'groupIds')
    return this.#driver.describeGroups(groupIds, this.#deadline(options))
  }

  /** With all they have committed; resolves to those that existed. Rejects with `group-not-empty` where one has members, and says who. */
  async deleteGroups(groupIds: readonly string[], options?: AdminCallOptions): Promise<readonly string[]> {
    requireIds('deleteGroups', groupIds, 'groupIds')
    return this.#driver.deleteGroups(groupIds, this.#deadline(options))
  }

  /** Forgets what a group has committed of partitions. Rejects with `group-not-empty` where a member reads the topic. */
  async deleteOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options?: AdminCallOptions,
  ): Promise<void> {
    requireText('deleteOffsets', 'groupId', groupId)
    requirePlaces('deleteOffsets', partitions)
    await this.#driver.deleteOffsets(groupId, partitions, this.#deadline(options))
  }

  /** Commits for a group: it goes on there. Rejects with `group-not-empty` while it has members, and says who. */
  async setOffsets(groupId: string, offsets: readonly GroupOffset[], options?: AdminCallOptions): Promise<void> {
    requireText('setOffsets', 'groupId', groupId)
    requireOffsets('setOffsets', offsets)
    await this.#driver.setOffsets(groupId, offsets, this.#deadline(options))
  }

  /**
   * Where a group would go on, and with `dryRun: false` where it does from now on. What it asks for is kept within the log: an
   * offset that is gone becomes the first that is left. With members nothing is set: it rejects with `group-not-empty`.
   *
   * @example
   * await admin.resetOffsets('billing', { to: { timestamp: Date.parse('2026-01-01') } }) // shows
   * await admin.resetOffsets('billing', { to: { timestamp: Date.parse('2026-01-01') }, dryRun: false }) // does
   */
  async resetOffsets(groupId: string, options: ResetOffsetsOptions): Promise<readonly OffsetReset[]> {
    requireText('resetOffsets', 'groupId', groupId)
    requireReset('resetOffsets', options)
    const { to, topics, partitions, dryRun = true, ...call } = options
    const deadline = this.#deadline(call)
    const resets = await resetsOf(this.#driver, groupId, { topics, partitions }, to, deadline)
    if (!dryRun) await this.#driver.setOffsets(groupId, resets, deadline)
    return resets
  }

  /** Ends its connections. `close` of the messaging does so too. */
  async close(): Promise<void> {
    await this.#driver.close()
  }

  #deadline(options: AdminCallOptions = {}): number {
    requireCallOptions('admin', options)
    return this.#clock.now() + (options.timeoutMs ?? 30_000)
  }
}
