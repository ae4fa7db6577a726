import type { IsolationLevel } from '../connection/requests/fetch.js'
import type { TidemarkError } from '../errors.js'
import type { RecordBatch } from '../message/record.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { EpochRange } from '../offsets/leader-epochs.js'
import type { Unavailable } from '../telemetry/events.js'
import type { ClientSettings } from './client-settings.js'

/** Where to start when the group has committed nothing: by name, or the first record at or after a time (ms). */
export type StartPosition = 'earliest' | 'latest' | { readonly timestamp: number }
/** How a group shares partitions; the names are those of Kafka's clients. More may come. */
export type AssignorName = 'cooperative-sticky' | 'sticky' | 'range' | 'roundrobin' | 'kafkajs-roundrobin'

/** What a driver makes a consumer of; times in milliseconds. */
export interface ConsumerSettings extends ClientSettings {
  /** `null` reads every partition of the topics without a group; `commit` is then refused. */
  readonly groupId: string | null
  /** Static membership: a restart within the session has its partitions again. */
  readonly groupInstanceId: string | null
  /**
   * Does the member leave its group when it stops? If not, its partitions wait for it until the session times out.
   * Missing: it leaves, unless it has an instance id.
   */
  readonly leavesGroup?: boolean | undefined
  readonly topics: readonly string[]
  /**
   * Read beside `topics`: all topics of the cluster whose whole name one of the patterns matches (`^(?:…)$`: brokers may
   * evaluate them, and know nothing else), now and later, but Kafka's internal ones and these. What appears later starts at its beginning, whatever `from` says; what is deleted leaves. A driver that
   * does not know of patterns reads `topics` alone.
   */
  readonly matching?: { readonly patterns: readonly RegExp[]; readonly except: readonly string[] } | undefined
  /**
   * Topics that are read along with another, by its name; they are in `topics` too. Whoever is given a partition of that one
   * has theirs of the same number as well, and nobody else has: assigned, revoked and lost with it. Where nothing is
   * committed they start at their beginning, whatever `from` says.
   */
  readonly companions?: ReadonlyMap<string, readonly string[]> | undefined
  /**
   * Who divides the partitions: one of the members (`classic`), or the group's coordinator (`consumer`, Kafka 4.0 and
   * later); `auto` takes what the cluster has agreed on when the consumer starts. Missing: `classic`.
   */
  readonly groupProtocol?: 'classic' | 'consumer' | 'auto' | undefined
  /** How the coordinator divides under `consumer`; missing: as the group does. */
  readonly remoteAssignor?: string | undefined
  /** In order of preference. */
  readonly assignors: readonly AssignorName[]
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly requestTimeoutMs: number
  readonly isolation: IsolationLevel
  /** Where this reader is, as brokers' `broker.rack` says it. Missing: leaders alone are read. */
  readonly rackId?: string | undefined
  readonly from: StartPosition
  readonly onOutOfRange: 'stop' | 'earliest' | 'latest'
  readonly fetch: {
    readonly maxWaitMs: number
    readonly minBytes: number
    readonly maxBytes: number
    readonly partitionMaxBytes: number
  }
  /** How often partitions added to the topics are looked for. */
  readonly metadataMaxAgeMs: number
}

/** A partition that is ours now. */
export interface AssignedPartition extends TopicPartition {
  /**
   * Names this assignment: unique within the consumer, rising. Whatever happens to a partition that was revoked and
   * assigned again carries another epoch, so a late completion cannot be taken for a present one.
   */
  readonly epoch: number
  /** Next offset to read; -1 when nobody may or can tell: the partition fails at once and nothing of it is committed. */
  readonly position: number
  /** What the group had committed; `null` when nothing. */
  readonly committed: { readonly offset: number; readonly metadata: string | null } | null
  /** How many partitions the topic had when its group started; kept beside commits. `null`: it starts at the beginning. */
  readonly partitionsAtFirst: number | null
  /**
   * Tells the log that offsets count in from any other one of that name; `null` when the driver cannot tell. Another one
   * after a seek in a topic that was made anew meanwhile. `onAssigned` is told what stands behind its last comma, as the id of
   * the topic.
   */
  readonly log: string | null
  /**
   * Which leaders wrote the records from `from` up to `to`, in order, as far as they were read; none when the driver cannot
   * tell. Kept beside commits, so that the next owner knows other records there from these.
   */
  leaderEpochs(from: number, to: number): readonly EpochRange[]
}

/** Records of one partition, in order; offsets may have holes. None is below the position that was asked for. */
export interface FetchedRecords extends TopicPartition {
  readonly epoch: number
  readonly batches: readonly RecordBatch[]
  /** Where the next fetch starts: past holes, control batches and aborted records. May move with no record at all. */
  readonly nextOffset: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  /** Bytes these records occupy in memory as fetched. */
  readonly sizeBytes: number
}

/** How far a partition is done, under the hand-over in which it came. */
export interface OffsetToCommit extends TopicPartition {
  readonly epoch: number
  /** Next offset to read. */
  readonly nextOffset: number
  readonly metadata: string
}

/** Fate of one offset of a commit. More may come. */
export type CommitOutcome =
  | 'committed'
  /** The epoch is gone, or the group says the member is: the new owner decides; never try again. */
  | 'lost'
  /** Not stored: a rebalance is under way or the coordinator cannot be reached. Keep it pending, try again. */
  | 'pending'
  /**
   * No answer came, yet the request may have reached the broker: it may be carried out at any time while the generation
   * lasts, also after commits that were sent later. Keep it pending, try again.
   */
  | 'in-doubt'
  /** Not stored: coordinator and metadata know no such partition. Keep it pending, but do not wait for it. */
  | 'no-partition'
  /** The metadata text was too large for the broker: commit again with less. */
  | 'metadata-too-large'
  /** All of it together was too large for the broker: commit again with fewer offsets. */
  | 'commit-too-large'

/** Where a partition goes on that could not be read on where it was. */
export interface PositionReset {
  /** Next offset that would have been read. */
  readonly from: number
  /** Next offset to read. */
  readonly to: number
  /** Up to here the log stands as it was read; `null` when nobody knows. */
  readonly keptTo: number | null
  /** `out-of-range`: the log does not hold `from`. `log-cut`: records below `from` are gone or are others now. More may come. */
  readonly reason: 'out-of-range' | 'log-cut' | 'topic-made-anew'
}

/** What a driver tells the consumer above it. */
export interface ConsumerListener {
  /** These partitions were added. Fetching of them starts when the promise resolves. Never rejects. */
  assigned(partitions: readonly AssignedPartition[]): Promise<void>
  /** One partition's records. Must not throw. The next fetch of the partition goes out at once unless it is paused. */
  records(fetched: FetchedRecords): void
  /**
   * These partitions are about to be given away: finish, commit (still possible here), release. The driver waits for
   * the promise, at most until `deadline` (by `clock.now()`), which leaves the group's own time for joining again, then
   * rejoins whatever the state. Others of our partitions stay as they are. May be called again meanwhile with
   * an earlier deadline, which then counts; both promises resolve at the end. Never rejects.
   */
  revoked(partitions: readonly AssignedPartition[], deadline: number): Promise<void>
  /**
   * A partition stays ours and goes on elsewhere, under a new epoch: offsets come a second time, so nothing that is known
   * about the former ones counts. Its fetching starts when this returns.
   */
  reset(former: AssignedPartition, assigned: AssignedPartition, reset: PositionReset): void
  /** These partitions are gone already: others may own them. Commit nothing. */
  lost(partitions: readonly AssignedPartition[]): void
  /** One partition cannot go on (offset out of range under `stop`, corrupt data, not authorised). It stays assigned, unfetched. */
  partitionFailed(partition: AssignedPartition, error: TidemarkError): void
  /** The consumer cannot go on (fenced static id, no common assignor, not authorised). It has stopped fetching. */
  failed(error: TidemarkError): void
}

/** Where the log of a partition ended: of what may be read under the isolation level. */
export interface KnownEnd {
  readonly offset: number
  /** When a broker said so, by `clock.now()`. */
  readonly at: number
  /** The log goes on to here, and nobody may read it yet: a transaction is open. Missing: it does not, or nobody told. */
  readonly stored?: number | undefined
}

/** Facts for health, metrics and the watchdog; times are of `clock.now()`, `null` = never. */
export interface DriverConsumerFacts {
  readonly state: string
  readonly memberId: string | null
  readonly generationId: number
  /** Whose commits these are: what was sent under another name is refused for certain. Missing: member id and generation. */
  readonly commitsAs?: string | undefined
  readonly lastHeartbeatAt: number | null
  readonly lastFetchAt: number | null
  /** Ours, and nobody can tell yet where they start, so they are not read. Missing: the driver does not tell. */
  readonly startless?: readonly TopicPartition[] | undefined
  /** Of the topics that are read. Missing: the driver does not tell. */
  readonly unavailableTopics?: readonly { readonly topic: string; readonly why: Unavailable }[] | undefined
  /** Is it known what is ours, if it is nothing at all? Not outside the group. */
  readonly hasAssignment: boolean
}

/** What a consumer needs from a Kafka client. */
export interface DriverConsumer {
  /**
   * Joins (or reads all partitions) and resolves when the first assignment was delivered and the ends of its logs are known,
   * or were asked for in vain; rejects at `deadline` unless something was delivered.
   */
  start(deadline: number): Promise<void>
  /** One outcome for each offset, in order; of calls at the same time the last one stands. Never rejects. */
  commit(offsets: readonly OffsetToCommit[], deadline: number): Promise<readonly CommitOutcome[]>
  /** From now on no record of the partition is handed over; records already fetched are dropped and fetched again. */
  pause(partition: TopicPartition): void
  resume(partition: TopicPartition): void
  /**
   * The next records handed over start here. Records of an older position are dropped.
   *
   * @param log whose offset it is: `now` (the default), what stands there whatever was there before; `read`, the log that the
   *   partition was read in: one that was made anew or cut meanwhile fails the partition, or resets it, as on the way there
   */
  seek(partition: TopicPartition, offset: number, log?: 'now' | 'read'): void
  assignment(): readonly AssignedPartition[]
  /** `null` while no broker has told it; a driver keeps it no older than some seconds, also while the partition is paused. */
  endOf(partition: TopicPartition): KnownEnd | null
  facts(): DriverConsumerFacts
  /**
   * Revokes everything through the listener (awaited, at most until `deadline`), leaves the group (`leavesGroup`)
   * and destroys the sockets. A rebalance meanwhile shortens the drain; the consumer does not join again. Called again, the
   * earliest deadline counts.
   */
  stop(deadline: number): Promise<void>
}
