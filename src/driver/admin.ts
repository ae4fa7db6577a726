import type { NewTopic, ResourceType } from '../connection/requests/admin.js'
import type { DescribedMember, ListedGroup } from '../connection/requests/group-admin.js'
import type { IsolationLevel } from '../connection/requests/fetch.js'
import type { ClusterDescription, TopicMetadata } from '../connection/requests/metadata.js'
import type { CommittedPartition } from '../connection/requests/offsets.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { StartPosition } from './consumer.js'

/** A transactional id that brokers know. */
export interface ListedTransaction {
  readonly transactionalId: string
  readonly producerId: number
  /** `Empty`, `Ongoing`, `PrepareCommit`, `PrepareAbort`, `CompleteCommit`, `CompleteAbort`, `Dead`. More may come. */
  readonly state: string
}
/** A transaction, as its coordinator knows it. */
export interface TransactionDescription extends ListedTransaction {
  readonly producerEpoch: number
  /** After so long, counted from its first record, the brokers abort it. */
  readonly timeoutMs: number
  /** Milliseconds since the Unix epoch; `null` while none is open. */
  readonly startedAt: number | null
  /** Those that have joined it. */
  readonly partitions: readonly TopicPartition[]
}
/** A transaction that is open in a partition: readers of committed records get no further than its first record. */
export interface OpenTransactionAt extends TopicPartition {
  /** `null` when no coordinator knows whose it is: it hangs, and only `kafka-transactions.sh abort` ends it. */
  readonly transactionalId: string | null
  readonly producerId: number
  readonly producerEpoch: number
  readonly firstOffset: number
  /** Of its newest record; milliseconds since the Unix epoch. */
  readonly lastWrittenAt: number
}

export type { DescribedMember, ListedGroup }

/** A group and its members, as its coordinator sees them. */
export interface GroupDescription {
  readonly groupId: string
  /** In Kafka's words: `Stable`, `Empty`, `PreparingRebalance`, `Reconciling`, …; more may come. */
  readonly state: string
  /** `consumer` of consumers, whoever divides their partitions; `connect`, `share`, …; empty where only offsets are kept. */
  readonly protocolType: string
  /** Name of the assignor; empty while there is none. */
  readonly assignor: string
  /** Of the group; `null` in a classic one, whose generation brokers do not tell. */
  readonly epoch: number | null
  readonly members: readonly DescribedMember[]
  /** Who divides the partitions: `classic` a member, `consumer` the coordinator (KIP-848); `share` is read side by side. */
  readonly type: 'classic' | 'consumer' | 'share'
  /** The broker that coordinates it. */
  readonly coordinator: number
}

/** Where a group is to go on in a partition. */
export interface GroupOffset extends TopicPartition {
  /** Next offset to read. */
  readonly offset: number
}

/** Records of a partition that are to go. */
export interface RecordsToDelete extends TopicPartition {
  /** First offset that stays; -1 is the end: all that is there goes. */
  readonly before: number
}

/** By name; `null` makes a setting what it is where nobody has set it. */
export type ConfigChanges = Readonly<Record<string, string | null>>

/** What the election of the preferred leader, the first replica, came to. */
export interface ElectedLeader extends TopicPartition {
  /** `not-available`: that replica is down, or not in sync, and the leader stays. */
  readonly outcome: 'elected' | 'leads-already' | 'not-available'
}

/** A partition that lost replicas, and who has all of it although not in sync (KIP-966, eligible leader replicas). */
export interface PartitionReplicas extends TopicPartition {
  /** -1 while there is none. */
  readonly leader: number
  readonly isr: readonly number[]
  /** Have all that was acknowledged, and may lead without a loss. */
  readonly eligible: readonly number[]
  /** Was in sync last; told where nobody else is eligible, and what it has may be less than what was acknowledged. */
  readonly lastKnown: readonly number[]
}

/** Every method is bounded by `deadline` (by `clock.now()`) and rejects with a `DriverError` that names the topic or group. */
export interface DriverAdmin {
  /** Creates what is missing; resolves to the names created. Existing topics are left as they are. */
  createTopics(topics: readonly NewTopic[], deadline: number): Promise<readonly string[]>
  deleteTopics(topics: readonly string[], deadline: number): Promise<void>
  createPartitions(topic: string, count: number, deadline: number): Promise<void>
  describeCluster(deadline: number): Promise<ClusterDescription>
  /** Topics that do not exist are left out. `null` lists all. */
  describeTopics(topics: readonly string[] | null, deadline: number): Promise<readonly TopicMetadata[]>
  /** Partitions that rely on replicas beside those in sync; `null` where brokers do not tell (before Kafka 3.8). */
  eligibleLeaders(topics: readonly string[], deadline: number): Promise<readonly PartitionReplicas[] | null>
  /** Configuration of a topic, broker or group by name. */
  describeConfig(type: ResourceType, name: string, deadline: number): Promise<ReadonlyMap<string, string | null>>
  /** Changes the settings that are named and no others. */
  alterConfig(type: ResourceType, name: string, changes: ConfigChanges, deadline: number): Promise<void>
  /** For good. Where each log begins afterwards, in order. */
  deleteRecords(records: readonly RecordsToDelete[], deadline: number): Promise<readonly number[]>
  /** Gives partitions back to their first replicas, in order. */
  electLeaders(partitions: readonly TopicPartition[], deadline: number): Promise<readonly ElectedLeader[]>
  /** One offset each, in order; a time after the last record gives the end. */
  listOffsets(
    partitions: readonly TopicPartition[],
    position: StartPosition,
    isolation: IsolationLevel,
    deadline: number,
  ): Promise<readonly number[]>
  /**
   * What a group has committed; `null` = all its partitions. Partitions without a commit are left out.
   *
   * @param requireStable while a transaction with offsets of the group is open: wait for its end (the default), or take
   * what was committed before it
   */
  committedOffsets(
    groupId: string,
    partitions: readonly TopicPartition[] | null,
    deadline: number,
    requireStable?: boolean,
  ): Promise<readonly CommittedPartition[]>
  /** Of all brokers; empty lists leave nothing out. Kafka 3.0 and newer. */
  listTransactions(
    states: readonly string[],
    producerIds: readonly number[],
    deadline: number,
  ): Promise<readonly ListedTransaction[]>
  /** Ids that nobody knows are left out. Kafka 3.0 and newer. */
  describeTransactions(ids: readonly string[], deadline: number): Promise<readonly TransactionDescription[]>
  /** The transactions that are open in these partitions. Kafka 3.0 and newer. */
  openTransactions(partitions: readonly TopicPartition[], deadline: number): Promise<readonly OpenTransactionAt[]>
  /** Of all brokers; empty lists leave nothing out. Brokers before Kafka 2.6 tell no states. */
  listGroups(states: readonly string[], types: readonly string[], deadline: number): Promise<readonly ListedGroup[]>
  /** In the order of the ids; a group that nobody knows is left out. */
  describeGroups(groupIds: readonly string[], deadline: number): Promise<readonly GroupDescription[]>
  /** Rejects with `group-not-empty` where a group has members; resolves to those that existed. */
  deleteGroups(groupIds: readonly string[], deadline: number): Promise<readonly string[]>
  /** Forgets what a group has committed. Rejects with `group-not-empty` where a member reads that topic. */
  deleteOffsets(groupId: string, partitions: readonly TopicPartition[], deadline: number): Promise<void>
  /** Commits for a group without members; rejects with `group-not-empty` otherwise. */
  setOffsets(groupId: string, offsets: readonly GroupOffset[], deadline: number): Promise<void>
  close(): Promise<void>
}
