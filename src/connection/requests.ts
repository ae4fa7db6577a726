/**
 * The requests of Kafka's protocol that tidemark uses, as values. `wire/` turns them into bytes for a real broker; the
 * in-process cluster answers them as they are. Fields follow the protocol's own names; partitions are listed flat.
 * Error codes are Kafka's numbers (`broker-error.ts` names them). Offsets and ids are safe integers.
 */
import type { OutgoingRecord, RecordBatch } from '../message/record.js'
import type { TopicPartition } from '../message/topic-partition.js'

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export type IsolationLevel = 'read-uncommitted' | 'read-committed'

export interface Throttled {
  /** How long the broker asks us to stay silent. */
  readonly throttleTimeMs: number
}

export interface WithError {
  readonly errorCode: number
}

export interface Broker {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

// ── Versions and features ───────────────────────────────────────────────────────────────────────────────────────────

/** The handshake's question; later it tells what the cluster has switched on meanwhile. */
export interface ApiVersionsRequest {
  readonly api: 'apiVersions'
}
export interface OfferedVersions {
  readonly apiKey: number
  readonly min: number
  readonly max: number
}
export interface FinalizedFeature {
  readonly name: string
  readonly minLevel: number
  readonly maxLevel: number
}
export interface ApiVersionsAnswer extends Throttled, WithError {
  readonly offered: readonly OfferedVersions[]
  /** What the whole cluster has agreed on, such as `group.version` and `transaction.version`. Empty before Kafka 2.7. */
  readonly finalizedFeatures: readonly FinalizedFeature[]
  /** Rises with every change of the features; -1 when the broker does not know them, so that nothing can be said. */
  readonly finalizedFeaturesEpoch: number
}

// ── Metadata ────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface MetadataRequest {
  readonly api: 'metadata'
  /** `null` asks for every topic, an empty list for the brokers alone. Never creates a topic. */
  readonly topics: readonly string[] | null
}
export interface PartitionMetadata extends WithError {
  readonly partition: number
  /** -1 while there is no leader. */
  readonly leader: number
  /** -1 when the broker does not tell. */
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}
export interface TopicMetadata extends WithError {
  readonly name: string
  /** Another one for every topic that was ever made, as Kafka prints it; `null` from brokers before Kafka 2.8. */
  readonly topicId: string | null
  readonly isInternal: boolean
  readonly partitions: readonly PartitionMetadata[]
}
export interface MetadataAnswer extends Throttled {
  readonly brokers: readonly Broker[]
  readonly clusterId: string | null
  readonly controllerId: number
  readonly topics: readonly TopicMetadata[]
}

// ── Produce ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One record batch. The same object is sent again on a retry, so an encoder may keep its bytes beside it (WeakMap). */
export interface ProduceBatch extends TopicPartition {
  /** -1 without idempotence. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
  readonly compression: Compression
  readonly records: readonly OutgoingRecord[]
}
export interface ProduceRequest {
  readonly api: 'produce'
  /** With 0 the broker does not answer: the answer resolves once the bytes were handed to the socket, with no partitions. */
  readonly acks: -1 | 0 | 1
  /** How long the broker may wait for the in-sync replicas. */
  readonly timeoutMs: number
  readonly transactionalId: string | null
  readonly batches: readonly ProduceBatch[]
}
/** One record of a batch that a broker refused; the others of the batch are not stored either, though nothing is wrong with them. */
export interface RefusedRecord {
  /** Its place in the batch. */
  readonly index: number
  readonly message: string | null
}
export interface ProducedPartition extends TopicPartition, WithError {
  /** -1 when the broker does not know it (DUPLICATE_SEQUENCE_NUMBER of an old batch). */
  readonly baseOffset: number
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTime: number
  readonly logStartOffset: number
  /** Which records made the broker refuse the batch. Empty when it does not tell, as brokers before Kafka 2.4 never do. */
  readonly recordErrors: readonly RefusedRecord[]
  /** What the broker says about the error, in its own words. */
  readonly errorMessage: string | null
}
export interface ProduceAnswer extends Throttled {
  readonly partitions: readonly ProducedPartition[]
}

export interface InitProducerIdRequest {
  readonly api: 'initProducerId'
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
}
export interface InitProducerIdAnswer extends Throttled, WithError {
  readonly producerId: number
  readonly producerEpoch: number
}

// ── Fetch ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface FetchPartition extends TopicPartition {
  /** Brokers from Kafka 3.1 on refuse to read another topic of the same name. `null` when unknown. */
  readonly topicId: string | null
  /** The broker refuses to answer for another epoch of its leadership; -1 when unknown. */
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly partitionMaxBytes: number
}
export interface FetchRequest {
  readonly api: 'fetch'
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly isolation: IsolationLevel
  readonly partitions: readonly FetchPartition[]
}
/** A record batch as stored, its checksum verified. May begin before the asked offset; its records may have holes. */
export interface FetchedBatch extends RecordBatch {
  readonly baseOffset: number
  /** Last offset the batch covers, even when compaction removed that record. The next fetch starts one after it. */
  readonly lastOffset: number
  /** Of the leader that appended it. */
  readonly leaderEpoch: number
  readonly producerId: number
  readonly isTransactional: boolean
  /** What kind of control batch this is; `none` for ordinary records. Control batches have no records. */
  readonly control: 'none' | 'abort' | 'commit' | 'other'
}
export interface FetchedPartition extends TopicPartition, WithError {
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** Under read-committed: transactions that overlap these batches and were aborted. */
  readonly abortedTransactions: readonly { readonly producerId: number; readonly firstOffset: number }[]
  readonly batches: readonly FetchedBatch[]
  /** Set when the stored bytes could not be read (bad CRC, unknown format); `batches` holds what was good before it. */
  readonly corrupt: string | null
  /** Encoded size of this partition's part of the answer. */
  readonly sizeBytes: number
}
export interface FetchAnswer extends Throttled, WithError {
  readonly partitions: readonly FetchedPartition[]
}

export interface ListOffsetsRequest {
  readonly api: 'listOffsets'
  readonly isolation: IsolationLevel
  /** `timestamp`: -2 earliest, -1 latest, else the first offset whose record is at or after it. */
  readonly partitions: readonly (TopicPartition & { readonly timestamp: number })[]
}
export interface ListOffsetsAnswer extends Throttled {
  readonly partitions: readonly FoundOffset[]
}
export interface FoundOffset extends TopicPartition, WithError {
  readonly timestamp: number
  /** -1 when no record is at or after the timestamp. */
  readonly offset: number
  /** Of the leader that wrote there; -1 when unknown. */
  readonly leaderEpoch: number
}

/** Asks where the log of a leader epoch ended: a reader beyond that has read what is no longer there. */
export interface OffsetForLeaderEpochRequest {
  readonly api: 'offsetForLeaderEpoch'
  readonly partitions: readonly (TopicPartition & {
    /** As in `FetchPartition`. */
    readonly currentLeaderEpoch: number
    /** Of the last record that was read. */
    readonly leaderEpoch: number
  })[]
}
export interface EpochEnd extends TopicPartition, WithError {
  /** The asked epoch, else the latest one before it; -1 when the leader knows neither. */
  readonly leaderEpoch: number
  /** First offset of the next epoch, or the end of the log; -1 when unknown. */
  readonly endOffset: number
}
export interface OffsetForLeaderEpochAnswer extends Throttled {
  readonly partitions: readonly EpochEnd[]
}

// ── Groups (classic protocol) ───────────────────────────────────────────────────────────────────────────────────────

export interface FindCoordinatorRequest {
  readonly api: 'findCoordinator'
  readonly key: string
  readonly keyType: 'group' | 'transaction'
}
export interface FindCoordinatorAnswer extends Throttled, WithError {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

/** The consumer protocol's subscription (ConsumerProtocolSubscription). */
export interface Subscription {
  /** 0 = topics and user data only; 1 adds `ownedPartitions`. */
  readonly version: number
  readonly topics: readonly string[]
  readonly userData: Buffer | null
  readonly ownedPartitions: readonly TopicPartition[]
}
/** The consumer protocol's assignment (ConsumerProtocolAssignment). */
export interface Assignment {
  readonly partitions: readonly TopicPartition[]
  readonly userData: Buffer | null
}

export interface JoinGroupRequest {
  readonly api: 'joinGroup'
  readonly groupId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Empty on the first join; the broker then answers MEMBER_ID_REQUIRED with the id to use. */
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** In order of preference. */
  readonly protocols: readonly { readonly name: string; readonly subscription: Subscription }[]
}
export interface JoinGroupAnswer extends Throttled, WithError {
  readonly generationId: number
  readonly protocolName: string
  readonly leader: string
  readonly memberId: string
  /** Filled for the leader only. */
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly subscription: Subscription
  }[]
}

export interface GroupMemberIdentity {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}
export interface SyncGroupRequest extends GroupMemberIdentity {
  readonly api: 'syncGroup'
  /** Empty unless this member leads. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Assignment }[]
}
export interface SyncGroupAnswer extends Throttled, WithError {
  readonly assignment: Assignment
}
export interface HeartbeatRequest extends GroupMemberIdentity {
  readonly api: 'heartbeat'
}
export interface HeartbeatAnswer extends Throttled, WithError {}
export interface LeaveGroupRequest {
  readonly api: 'leaveGroup'
  readonly groupId: string
  readonly memberId: string
  readonly groupInstanceId: string | null
}
export interface LeaveGroupAnswer extends Throttled, WithError {}

export interface CommittedPartition extends TopicPartition {
  /** Next offset to read. */
  readonly offset: number
  /** Of the last record before it; -1 when unknown. */
  readonly leaderEpoch: number
  readonly metadata: string | null
}
export interface OffsetCommitRequest extends GroupMemberIdentity {
  readonly api: 'offsetCommit'
  readonly partitions: readonly CommittedPartition[]
}
export interface OffsetCommitAnswer extends Throttled {
  readonly partitions: readonly (TopicPartition & WithError)[]
}
export interface OffsetFetchRequest {
  readonly api: 'offsetFetch'
  readonly groupId: string
  /** `null` asks for everything the group has committed. */
  readonly partitions: readonly TopicPartition[] | null
  /** Answer UNSTABLE_OFFSET_COMMIT while a transaction with offsets is open. */
  readonly requireStable: boolean
}
export interface OffsetFetchAnswer extends Throttled, WithError {
  /** `offset` is -1 where nothing is committed. */
  readonly partitions: readonly (CommittedPartition & WithError)[]
}

// ── Administration ──────────────────────────────────────────────────────────────────────────────────────────────────

export interface NewTopic {
  readonly name: string
  /** -1 takes the broker's default. */
  readonly partitions: number
  /** -1 takes the broker's default. */
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}
export interface NamedError extends WithError {
  readonly name: string
  readonly errorMessage: string | null
}
export interface CreateTopicsRequest {
  readonly api: 'createTopics'
  readonly topics: readonly NewTopic[]
  readonly timeoutMs: number
  readonly validateOnly: boolean
}
export interface CreateTopicsAnswer extends Throttled {
  readonly topics: readonly NamedError[]
}
export interface DeleteTopicsRequest {
  readonly api: 'deleteTopics'
  readonly topics: readonly string[]
  readonly timeoutMs: number
}
export interface DeleteTopicsAnswer extends Throttled {
  readonly topics: readonly NamedError[]
}
export interface CreatePartitionsRequest {
  readonly api: 'createPartitions'
  readonly topics: readonly { readonly name: string; readonly count: number }[]
  readonly timeoutMs: number
}
export interface CreatePartitionsAnswer extends Throttled {
  readonly topics: readonly NamedError[]
}
export interface DescribeConfigsRequest {
  readonly api: 'describeConfigs'
  readonly resources: readonly { readonly type: 'topic' | 'broker'; readonly name: string }[]
}
export interface DescribeConfigsAnswer extends Throttled {
  readonly resources: readonly (NamedError & {
    readonly type: 'topic' | 'broker'
    readonly entries: readonly { readonly name: string; readonly value: string | null; readonly isDefault: boolean }[]
  })[]
}

// ── All of them ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** For every API its request and its answer. */
export interface Apis {
  apiVersions: { request: ApiVersionsRequest; answer: ApiVersionsAnswer }
  metadata: { request: MetadataRequest; answer: MetadataAnswer }
  produce: { request: ProduceRequest; answer: ProduceAnswer }
  initProducerId: { request: InitProducerIdRequest; answer: InitProducerIdAnswer }
  fetch: { request: FetchRequest; answer: FetchAnswer }
  listOffsets: { request: ListOffsetsRequest; answer: ListOffsetsAnswer }
  offsetForLeaderEpoch: { request: OffsetForLeaderEpochRequest; answer: OffsetForLeaderEpochAnswer }
  findCoordinator: { request: FindCoordinatorRequest; answer: FindCoordinatorAnswer }
  joinGroup: { request: JoinGroupRequest; answer: JoinGroupAnswer }
  syncGroup: { request: SyncGroupRequest; answer: SyncGroupAnswer }
  heartbeat: { request: HeartbeatRequest; answer: HeartbeatAnswer }
  leaveGroup: { request: LeaveGroupRequest; answer: LeaveGroupAnswer }
  offsetCommit: { request: OffsetCommitRequest; answer: OffsetCommitAnswer }
  offsetFetch: { request: OffsetFetchRequest; answer: OffsetFetchAnswer }
  createTopics: { request: CreateTopicsRequest; answer: CreateTopicsAnswer }
  deleteTopics: { request: DeleteTopicsRequest; answer: DeleteTopicsAnswer }
  createPartitions: { request: CreatePartitionsRequest; answer: CreatePartitionsAnswer }
  describeConfigs: { request: DescribeConfigsRequest; answer: DescribeConfigsAnswer }
}
/** Written out, so that a public type that names an API does not carry every request with it. */
export type ApiName =
  | 'apiVersions'
  | 'metadata'
  | 'produce'
  | 'initProducerId'
  | 'fetch'
  | 'listOffsets'
  | 'offsetForLeaderEpoch'
  | 'findCoordinator'
  | 'joinGroup'
  | 'syncGroup'
  | 'heartbeat'
  | 'leaveGroup'
  | 'offsetCommit'
  | 'offsetFetch'
  | 'createTopics'
  | 'deleteTopics'
  | 'createPartitions'
  | 'describeConfigs'
export type Request = Apis[ApiName]['request']
export type AnswerTo<R extends Request> = Apis[R['api']]['answer']
