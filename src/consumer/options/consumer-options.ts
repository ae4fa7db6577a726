import type { IsolationLevel } from '../../connection/requests/fetch.js'
import type { AssignorName } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Topic } from '../../topic/topic.js'
import type { Order } from '../dispatch/dispatch.js'
import type { FailureClass } from '../handling/failure-class.js'
import type { Handler, Middleware } from '../handling/handler.js'
import type { DrainReport } from '../../telemetry/drain-report.js'

/** Messages of a topic; over a union of topics a union that `topic` tells apart. */
export type MessageOf<T> = T extends Topic<infer Value, infer Name> ? Message<Value, Name> : never

/**
 * Says where partitions that became ours start. `committed` is the next offset of the group in the log of now, `null` without
 * one. `topicId` tells a topic from one of its name that was deleted before, `null` where brokers do not say (Kafka before 2.8).
 */
export type OnAssigned = (
  partitions: readonly (TopicPartition & { readonly committed: number | null; readonly topicId: string | null })[],
  /** `signal` aborts when the answer no longer counts. */
  context: { readonly signal: AbortSignal },
) => StartingPlaces | void | Promise<StartingPlaces | void>

/** Next offsets to read. */
export type StartingPlaces = readonly (TopicPartition & { readonly offset: number })[]

/** Hears that partitions are about to be given up, and why. */
export type OnRevoked = (
  partitions: readonly TopicPartition[],
  /** More reasons may come. `signal` aborts when it is waited for no longer. */
  context: { readonly reason: 'revoked' | 'stopped' | 'lost'; readonly signal: AbortSignal },
) => void | Promise<void>

/** Options that every consumer has. */
export interface ConsumerSettingsOptions<Topics extends readonly Topic[] = readonly Topic[]> {
  /** Name of the consumer group; `null` reads every partition without a group and commits nothing. */
  readonly group: string | null
  /** Made by `defineTopic`, or all that match a `pattern` of `tidemark/pattern`; `[topic, ...pattern(…)]` for both. */
  readonly topics: Topics
  /**
   * What is handled one after another: records of a `partition` (default), of a `key` (records without key are not
   * ordered), or nothing (`none`).
   */
  readonly order?: Order | undefined
  /** Around every call of the handler, the first outermost. Default none. */
  readonly use?: readonly Middleware[] | undefined
  /** Most handlers at the same time. Default 64. */
  readonly concurrency?: number | undefined
  /**
   * When settled work is committed: after `each` record; after each record and `confirmed` before the next one of its
   * partition begins, which costs a round trip for each record or batch; `closely` behind the work, as soon as the last commit was answered
   * and at most every 100 ms (2 ms for each partition with news, 5 s at the most: `facts().commitWindowMs`); or after so
   * much time or so many messages. Default under `cp` `closely`, under `ap` every 5 s or 1,000 messages.
   */
  readonly commit?:
    | 'each'
    | 'confirmed'
    | 'closely'
    | { readonly everyMs?: number | undefined; readonly everyMessages?: number | undefined }
    | undefined
  /** Where to start when the group has committed nothing. Default `earliest`. */
  readonly from?: 'earliest' | 'latest' | Date | undefined
  /** When the log no longer has the next offset. Default `stop`: the partition stops, with the lost range in the error. */
  readonly onOutOfRange?: 'stop' | 'earliest' | 'latest' | undefined
  /**
   * When a topic does not exist at the start. Default `wait`: it is read as soon as it appears; `facts().unavailableTopics`
   * names it and a warning says so. `refuse`: `start` rejects with `ConfigError`, and may be called again.
   */
  readonly missingTopics?: 'wait' | 'refuse' | undefined
  /**
   * A handler that has not ended after this has failed (reason `timeout`), whatever it does later, and its signal aborts.
   * Default 300,000. For up to 5 s more (at most this time once more) nothing else of its partition or key starts, so a
   * handler that heeds its signal never runs beside the next one; one that does not is left behind and counted.
   */
  readonly handlerTimeoutMs?: number | undefined
  /**
   * How a record whose handler failed is tried again, in its place: its partition or key waits, others go on, and a place of
   * `concurrency` is free meanwhile. Default 3 retries, each after up to 100 ms, 200 ms, 400 ms … 2 s (all of it is drawn),
   * none later than 10 s after the first failure; programming errors (`TypeError`, `ReferenceError`, `RangeError`,
   * `SyntaxError` without a cause) get one. Each attempt has a `handlerTimeoutMs` of its own. A batch is tried whole, and
   * for its last attempt each of its records alone. `false`: a failure is final at its first attempt.
   */
  readonly retry?:
    | false
    | {
        /** Attempts after the first. Default 3. */
        readonly retries?: number | undefined
        /** The first retry comes within `initialMs` (100), each later one within twice as long, up to `maxMs` (2,000, or `initialMs` where that is more). */
        readonly backoff?: { readonly initialMs?: number | undefined; readonly maxMs?: number | undefined } | undefined
        /** Most time from the first failure to the start of the last attempt. Default 10,000. */
        readonly budgetMs?: number | undefined
      }
    | undefined
  /**
   * A record whose retries are used up is given up (dead letter, or its partition stops) only when another one has succeeded
   * meanwhile. Else what the handler needs may be down: the partition pauses, tries one record at a time at rising distances
   * up to 10 s, spends no attempt, and goes on when one succeeds; told once, and counted. When nothing has succeeded for
   * `decideAfterMs` (60,000) and a single record fails, it is given up all the same, as it may be the only one there is;
   * with several, and for each further one, that takes ten times as long. What a handler leaves alone counts as success, so
   * one that leaves most records alone should throw `Unavailable`. `false`, and `retry: false`: nothing but a thrown
   * `Unavailable` is an outage.
   */
  readonly outage?: false | { readonly decideAfterMs?: number | undefined } | undefined
  /**
   * Says what an error of the handler means, where the handler cannot throw `DeadLetter`, `Discard`, `Unavailable` or
   * `RetryLater` itself: `retryable` (the default for all errors), `fatal`, `unavailable` or `cancelled`; `undefined` leaves
   * it to the default. Is not asked about what cannot be decoded. It is asked about what `reorder.onWatermark` throws too, which
   * waits for what is `unavailable` and fails the consumer by anything else.
   */
  readonly classify?: ((error: unknown) => FailureClass | undefined) | undefined
  /**
   * How long running handlers may finish when partitions are given up. Default 30,000; in a rebalance at most 60 % of
   * `rebalanceTimeoutMs` less one heartbeat interval. A partition that is ours again begins nothing for as long beside
   * handlers that outlived it.
   */
  readonly drainMs?: number | undefined
  /** Received and unsettled records, shared equally by the partitions. Default 100,000 records, 64 MiB. */
  readonly highMark?: { readonly records?: number | undefined; readonly bytes?: number | undefined } | undefined
  /** Where a paused partition goes on. Default half of the high mark. */
  readonly lowMark?: { readonly records?: number | undefined; readonly bytes?: number | undefined } | undefined
  /** Silence after which the group gives our partitions away. Default 45,000. */
  readonly sessionTimeoutMs?: number | undefined
  /** How long a rebalance waits for this member. Default 60,000. */
  readonly rebalanceTimeoutMs?: number | undefined
  /** Default 1,000, or a third of a `sessionTimeoutMs` below 3,000. */
  readonly heartbeatIntervalMs?: number | undefined
  /** One request to one broker. Default 5,000. */
  readonly requestTimeoutMs?: number | undefined
  /** How often new partitions are looked for. Default 60,000. */
  readonly metadataMaxAgeMs?: number | undefined
  /**
   * A partition that has work and settles nothing for so long is logged as stalled, with what it waits for, once, and so is
   * the end of the stall. Default 30,000; 0 logs none.
   */
  readonly stallWarningMs?: number | undefined
  /** A name for static membership: who comes again under it within the session has its partitions at once. Default none. */
  readonly groupInstanceId?: string | null | undefined
  /**
   * Does a member leave its group when it closes? Who leaves hands its partitions over at once; those of one that stays wait
   * for its session to end, or under `groupInstanceId` for the next process of that name. Default: leaves without a
   * `groupInstanceId`, stays with one.
   */
  readonly leaveGroup?: boolean | undefined
  /**
   * Who divides the partitions: a member of the group (`classic`), or its coordinator (`consumer`, Kafka 4.0 and later, where
   * the broker sets session timeout, heartbeat interval and assignors). `auto` takes what the cluster has agreed on when this
   * consumer starts. Default: that of the messaging, else `classic`. Docs: guides/consumer-protocol.md.
   */
  readonly groupProtocol?: 'classic' | 'consumer' | 'auto' | undefined
  /** How the coordinator divides under the `consumer` protocol: `uniform`, `range`, or what brokers have. Default: as the group does. */
  readonly remoteAssignor?: string | undefined
  /**
   * How the group shares partitions, in order of preference. Default `['cooperative-sticky', 'sticky']`: members keep their
   * partitions while others come and go, as soon as no member is left that offers only `sticky`. Docs: guides/groups.md.
   */
  readonly assignors?: readonly AssignorName[] | undefined
  readonly fetch?:
    | {
        /** How long a broker may wait for `minBytes`. Default 250. */
        readonly maxWaitMs?: number | undefined
        /** Default 1. */
        readonly minBytes?: number | undefined
        /** One answer of one broker. Default 4 MiB: larger ones cost more memory and are no faster. */
        readonly maxBytes?: number | undefined
        /** One partition in an answer. Default 1 MiB. */
        readonly partitionMaxBytes?: number | undefined
      }
    | undefined
  /**
   * The rack or zone this consumer runs in, as the brokers' `broker.rack` names it: records are then fetched from a replica of
   * the same rack where the brokers' `replica.selector.class` allows it, and from the leader otherwise. Default: leaders alone.
   * Docs: guides/following-the-cluster.md.
   */
  readonly rackId?: string | undefined
  /** Default `read-uncommitted`. */
  readonly isolation?: IsolationLevel | undefined
  /**
   * A record failed and had nowhere to go: its partition stopped. The others go on; `restart` starts it again where
   * handling stands, `seek` elsewhere.
   */
  readonly onPartitionStopped?: ((partition: TopicPartition, error: TidemarkError) => void) | undefined
  /** Partitions were given up: what was finished, abandoned, committed, and what may be handled twice. */
  readonly onDrained?: ((report: DrainReport) => void) | undefined
  /**
   * Partitions are ours, and nothing of them is fetched before this has answered: where some of them start, as kept beside
   * what the handler writes; the others start where their group stands. While it takes more than `hookTimeoutMs`, throws, or
   * answers what is no place, its partitions are held, visibly, and it is asked again: none starts elsewhere. `start` waits
   * for its first end. The answer counts in place of what the group had committed. It is asked again for a partition that
   * goes on in another log because its topic was made anew.
   */
  readonly onAssigned?: OnAssigned | undefined
  /**
   * Partitions are about to be given up: nothing new of them begins. It is awaited beside their handlers that still run,
   * within their time and `hookTimeoutMs`, before what is settled is committed; `onDrained` tells the end. Not awaited with
   * reason `lost`: others may own them already.
   */
  readonly onRevoked?: OnRevoked | undefined
  /** Most time for one call of `onAssigned` or `onRevoked`. Default 10,000. */
  readonly hookTimeoutMs?: number | undefined
  /** The consumer, which had started, cannot go on; it finishes what runs, commits and leaves. */
  readonly onFailed?: ((error: TidemarkError) => void) | undefined
}

/** A consumer that handles one message at a time. */
export interface HandleEach<Topics extends readonly Topic[]> {
  /** Handles one message; it is done when the handler has ended. */
  readonly handle: Handler<MessageOf<Topics[number]>>
  readonly handleBatch?: undefined
  readonly loop?: false | undefined
}

/** A consumer that handles messages of one partition together. */
export interface HandleBatch<Topics extends readonly Topic[]> {
  readonly handle?: undefined
  /**
   * Handles messages of one partition in order of offset; all are done when it has ended. When it throws, the batch is tried
   * again as `retry` says; for the last attempt its messages are handed over one by one, and only those that fail alone go to
   * the dead-letter topic, or stop the partition; `BatchFailure` says at which message it failed, and saves all of that. With `retry: false` and no dead-letter topic the partition stops at the
   * first message of the batch.
   */
  readonly handleBatch: Handler<readonly MessageOf<Topics[number]>[]>
  readonly loop?: false | undefined
  /** Most messages of one batch. Default 1,000. */
  readonly batchMessages?: number | undefined
}

/** A consumer whose batches are taken by a loop of the caller. */
export interface HandleInLoop {
  readonly handle?: undefined
  readonly handleBatch?: undefined
  /** No handler: batches are taken by `for await (const batch of consumer.batches())`. */
  readonly loop: true
  /** Most messages of one batch. Default 1,000. */
  readonly batchMessages?: number | undefined
}

/**
 * What a consumer does, and how. Exactly one of `handle`, `handleBatch` and `loop`. The last of the three is the one that a
 * compiler finds missing.
 */
export type ConsumerOptions<Topics extends readonly Topic[] = readonly Topic[]> = ConsumerSettingsOptions<Topics> &
  (HandleBatch<Topics> | HandleInLoop | HandleEach<Topics>)
