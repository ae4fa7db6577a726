import type { AssignedPartition, ConsumerListener, DriverConsumer, FetchedRecords } from '../driver/consumer.js'
import { StateError, TidemarkError } from '../errors.js'
import type { TopicPartition } from '../message/topic-partition.js'
import { commitMetadataMaxBytes } from '../offsets/commit-metadata.js'
import { progressOf } from '../offsets/progress.js'
import { wallTimeOf, type Clock } from '../runtime/clock.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { ConsumerDependencies } from './consumer-dependencies.js'
import { Dispatch } from './dispatch/dispatch.js'
import { AtLeastOnce, type Handling } from './handling/at-least-once.js'
import { Failures } from './handling/fates.js'
import { RunningCalls } from './handling/running-calls.js'
import { Intake } from './intake/intake.js'
import type { ResolvedConsumerOptions } from './options/consumer-schema.js'
import { BackPressure } from './partition/back-pressure.js'
import { OwnedPartition, type PartitionStart } from './partition/owned-partition.js'
import { OwnedPartitions } from './partition/owned-partitions.js'
import { uncommittedRanges, type DrainReport } from './release/drain.js'
import { RunningDrains } from './release/running-drains.js'
import { Committer } from './settling/committer.js'
import { partitionFacts, type ConsumerFacts, type PartitionFacts } from './watch/facts.js'
import { StallWatch } from './watch/stall-watch.js'

/** Share of the rebalance timeout that handlers may use; the rest is for commit and rejoin. */
const rebalanceShare = 0.6

/** How long a handler may take to heed its signal; never longer than it may take at all. */
const handlerGraceMs = 5_000

/** On its way to another place. */
interface Seek {
  offset: number
  ended: Promise<void>
}

/** What the partitions that are ours go through, from assignment to release. Implements the driver's listener. */
export class PartitionLifecycle implements ConsumerListener {
  readonly #options: ResolvedConsumerOptions
  readonly #dependencies: ConsumerDependencies
  readonly #driver: () => DriverConsumer
  readonly #onFailed: (error: TidemarkError) => void
  readonly #partitions = new OwnedPartitions()
  readonly #backPressure: BackPressure
  readonly #running: RunningCalls
  readonly #committer: Committer
  readonly #dispatch: Dispatch
  readonly #stallWatch: StallWatch
  readonly #clock: Clock
  readonly #runningDrains: RunningDrains
  readonly #seeks = new Map<OwnedPartition, Seek>()
  /** `releasing` takes no further partition; what there is may be drained and committed. */
  #state: 'open' | 'releasing' | 'closed' = 'open'

  constructor(
    options: ResolvedConsumerOptions,
    dependencies: ConsumerDependencies,
    driver: () => DriverConsumer,
    onFailed: (error: TidemarkError) => void,
  ) {
    this.#options = options
    this.#dependencies = dependencies
    this.#driver = driver
    this.#onFailed = onFailed
    const { runtime } = dependencies.driver
    const { clock } = runtime
    const { logger, metrics } = dependencies
    const handling = handlingOf(options)
    const onDefect = (error: unknown) => onFailed(defect(error))
    this.#backPressure = new BackPressure(options.highMark, options.lowMark, driver)
    const graceMs = Math.min(handlerGraceMs, options.handlerTimeoutMs)
    this.#running = new RunningCalls({ clock, graceMs, logger, metrics })
    this.#committer = new Committer({
      policy: options.commit,
      partitions: () => this.#partitions.all(),
      driver,
      runtime,
      logger,
      metrics,
      onLost: (partition) => this.lost([partition.assigned]),
      onDefect,
    })
    if (options.group === null) this.#committer.close()
    this.#dispatch = new Dispatch({
      order: options.order,
      concurrency: options.concurrency,
      intake: new Intake(options.topics, handling.kind === 'batch' ? options.batchMessages : null),
      delivery: new AtLeastOnce({
        handling,
        middleware: dependencies.middleware,
        failures: new Failures({ group: options.group, deadLetter: dependencies.deadLetter, runtime, logger }),
        running: this.#running,
        send: dependencies.send,
        handlerTimeoutMs: options.handlerTimeoutMs,
        clock,
        logger,
        metrics,
      }),
      committer: this.#committer,
      backPressure: this.#backPressure,
      metrics,
      clock,
      stopPartition: (partition, error) => this.#stopPartition(partition, error),
      onDefect,
    })
    this.#stallWatch = new StallWatch({
      warnAfterMs: options.stallWarningMs,
      fetchMaxWaitMs: options.fetch.maxWaitMs,
      partitions: () => this.#partitions.all(),
      driver,
      oldestHandlerStartedAt: () => this.#running.oldestStartedAt,
      clock,
      logger,
      metrics,
    })
    this.#clock = clock
    const tools = { clock, committer: this.#committer, running: this.#running }
    this.#runningDrains = new RunningDrains(tools, (report) => this.#drained(report))
  }

  // ── What the driver tells ─────────────────────────────────────────────────────────────────────────────────────────

  assigned(partitions: readonly AssignedPartition[]): Promise<void> {
    if (this.#state !== 'open') return Promise.resolve()
    for (const assigned of partitions) this.#take(assigned)
    this.#shareMarks()
    if (partitions.length > 0) this.#stallWatch.wake()
    return Promise.resolve()
  }

  records(fetched: FetchedRecords): void {
    const partition = this.#partitions.ofEpoch(fetched)
    if (partition === undefined || partition.state.current !== 'active') return
    try {
      this.#receive(partition, fetched)
    } catch (error) {
      this.#stopPartition(partition, defect(error))
    }
  }

  /** A drain of these partitions that is under way ends by this deadline too. */
  async revoked(partitions: readonly AssignedPartition[], deadline: number): Promise<void> {
    const { drainMs, rebalanceTimeoutMs, heartbeatIntervalMs } = this.#options
    const budgetMs = Math.max(0, rebalanceTimeoutMs * rebalanceShare - heartbeatIntervalMs)
    // A stop has said itself how long handlers may take.
    const finishMs = this.#state === 'open' ? Math.min(drainMs, budgetMs) : Infinity
    await this.#runningDrains.drain(this.#owned(partitions), 'revoked', finishMs, deadline)
  }

  lost(partitions: readonly AssignedPartition[]): void {
    this.#runningDrains.abandon(this.#owned(partitions), 'lost')
  }

  partitionFailed(assigned: AssignedPartition, error: TidemarkError): void {
    const partition = this.#partitions.ofEpoch(assigned)
    if (partition !== undefined) this.#stopPartition(partition, error)
  }

  failed(error: TidemarkError): void {
    this.#onFailed(error)
  }

  // ── What the user asks ────────────────────────────────────────────────────────────────────────────────────────────

  assignment(): readonly TopicPartition[] {
    return this.#partitions.all().map(({ topic, partition }) => ({ topic, partition }))
  }

  require({ topic, partition }: TopicPartition): OwnedPartition {
    const owned = this.#partitions.get(topic, partition)
    if (owned !== undefined) return owned
    throw new StateError('not-assigned', `${topic}-${partition} is not assigned to this consumer; see assignment()`, {
      topic,
      partition,
    })
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const owned of partitions.map((partition) => this.require(partition))) {
      if (owned.pauses.has('user')) continue
      this.#backPressure.pause(owned, 'user')
      owned.lanes.hold()
    }
    this.#gauges()
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const owned of partitions.map((partition) => this.require(partition))) {
      if (!owned.pauses.has('user')) continue
      this.#backPressure.resume(owned, 'user')
      owned.lanes.release()
    }
    this.#gauges()
  }

  /** Drops what waits, lets what runs end (bounded), and starts again at `offset` with nothing settled. */
  seek(place: TopicPartition, offset: number): Promise<void> {
    const owned = this.require(place)
    const underWay = this.#seeks.get(owned)
    if (underWay !== undefined) {
      // The last call says where to go on.
      underWay.offset = offset
      return underWay.ended
    }
    const seek: Seek = { offset, ended: Promise.resolve() }
    this.#seeks.set(owned, seek)
    seek.ended = this.#goElsewhere(owned, seek).finally(() => this.#seeks.delete(owned))
    return seek.ended
  }

  async #goElsewhere(owned: OwnedPartition, seek: Seek): Promise<void> {
    this.#backPressure.pause(owned, 'seek')
    owned.lanes.close()
    await this.#idle(owned)
    if (this.#partitions.get(owned.topic, owned.partition) !== owned || owned.state.is('draining', 'gone')) {
      throw new StateError('not-assigned', `${owned.topic}-${owned.partition} was taken away during the seek`, {
        topic: owned.topic,
        partition: owned.partition,
      })
    }
    const userPaused = owned.pauses.has('user')
    const leftBehind = uncommittedRanges(owned, this.#committer)
    this.#running.abort(owned, new StateError('sought-away', `${owned.topic}-${owned.partition} was sought elsewhere`))
    owned.leave()
    const { offset } = seek
    const fresh = this.#own(owned.assigned, { position: offset, completed: [], acknowledged: null, leftBehind })
    if (userPaused) {
      fresh.pauses.add('user')
      fresh.lanes.hold()
    }
    this.#driver().seek(fresh.assigned, offset)
    if (!userPaused) this.#driver().resume(fresh.assigned)
    // Nothing may come after the new place: it must be on record all the same.
    this.#committer.moved(fresh)
  }

  facts(): Omit<ConsumerFacts, 'state' | 'driver' | 'error'> {
    const partitions = this.#partitions.all()
    const { oldestStartedAt } = this.#running
    return {
      partitions: partitions.map((partition) => this.#factsOf(partition)),
      inFlight: this.#inFlight(),
      running: this.#dispatch.running,
      oldestHandlerStartedAt: oldestStartedAt === null ? null : wallTimeOf(this.#clock, oldestStartedAt),
      overrunning: this.#running.overrunning,
      pollAgeMs: partitions.length === 0 ? 0 : this.#stallWatch.pollAgeMs(),
      late: this.#dispatch.late,
      commits: this.#committer.counts,
      lastDrain: this.#runningDrains.last,
    }
  }

  // ── Giving up ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes no further partition, finishes and commits what there is. */
  async release(deadline: number): Promise<void> {
    if (this.#state === 'open') this.#state = 'releasing'
    await this.#runningDrains.drain(this.#partitions.all(), 'stopped', Infinity, deadline)
  }

  /** Gives everything up at once, without a commit. */
  abandonAll(): void {
    this.#state = 'closed'
    this.#committer.close()
    this.#runningDrains.abandon(this.#partitions.all(), 'forced')
  }

  /** No timer is left. */
  close(): void {
    this.#state = 'closed'
    this.#committer.close()
    this.#running.close()
    this.#stallWatch.close()
  }

  // ── Inside ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(assigned: AssignedPartition): void {
    // Assigned again without a revoke: whatever the old epoch still does must not count.
    const former = this.#partitions.get(assigned.topic, assigned.partition)
    if (former !== undefined) this.#runningDrains.abandon([former], 'lost')
    const owned = this.#own(assigned, startOf(assigned))
    // A start that the next process would not find again must be on record at once: by then `latest` lies further on, and
    // an offset that was out of range may lie within it.
    const wasReset = assigned.committed !== null && owned.acknowledged === null
    const mayMoveOn = owned.acknowledged === null && this.#options.from !== 'earliest'
    if (this.#options.group !== null && (wasReset || mayMoveOn)) this.#committer.commitSoon(owned)
  }

  #own(assigned: AssignedPartition, start: PartitionStart): OwnedPartition {
    const lanesFor = (partition: OwnedPartition) => this.#dispatch.lanesFor(partition)
    const owned = new OwnedPartition(assigned, start, lanesFor, this.#clock.now(), commitMetadataMaxBytes)
    this.#partitions.put(owned)
    return owned
  }

  #owned(partitions: readonly AssignedPartition[]): OwnedPartition[] {
    return partitions.flatMap((partition) => this.#partitions.ofEpoch(partition) ?? [])
  }

  #receive(partition: OwnedPartition, fetched: FetchedRecords): void {
    if (partition.heldRecords === 0) partition.lastProgressAt = this.#clock.now()
    partition.backlog.push(fetched)
    this.#backPressure.grown(partition)
    this.#gauges()
    partition.lanes.supplied()
  }

  #drained(report: DrainReport): void {
    const { metrics, logger } = this.#dependencies
    for (const { topic, partition } of report.partitions) {
      const owned = this.#partitions.get(topic, partition)
      if (owned?.isGone === true) this.#partitions.remove(owned)
    }
    this.#shareMarks()
    this.#gauges()
    metrics.count('tidemark_consumer_rebalances_total', { kind: report.reason })
    if (report.abandoned > 0 || report.possibleDuplicates.length > 0) {
      logger.warn({ drain: report }, 'partitions were given up; some records may be handled twice')
    } else {
      logger.info({ drain: report }, 'partitions were given up')
    }
    this.#tell(() => this.#options.onDrained?.(report))
  }

  #stopPartition(partition: OwnedPartition, cause: Error): void {
    const error = cause instanceof TidemarkError ? cause : defect(cause)
    const { topic, partition: number } = partition
    this.#dependencies.logger.error({ topic, partition: number, offset: error.offset, error }, 'partition stopped')
    partition.stoppedBy ??= error
    if (partition.state.current !== 'active') return
    partition.state.to('stopped')
    partition.lanes.close()
    this.#backPressure.pause(partition, 'stopped')
    this.#gauges()
    this.#tell(() => this.#options.onPartitionStopped?.({ topic, partition: number }, error))
  }

  /** Until no handler of the partition runs, it is gone, or the time that handlers have is over. */
  async #idle(owned: OwnedPartition): Promise<void> {
    await withinDeadline(owned.whenIdleOrGone(), {
      clock: this.#clock,
      deadline: this.#clock.now() + this.#options.drainMs,
      onLate: () => undefined,
    })
  }

  #factsOf(partition: OwnedPartition): PartitionFacts {
    const known = this.#driver().endOf(partition)
    return partitionFacts(partition, known, this.#stallWatch.progressOf(partition), this.#clock)
  }

  #shareMarks(): void {
    this.#backPressure.share(this.#partitions.size)
  }

  #gauges(): void {
    const { metrics } = this.#dependencies
    const paused = this.#partitions.all().filter(({ pauses }) => pauses.size > 0).length
    metrics.gauge('tidemark_consumer_in_flight', {}, this.#inFlight())
    metrics.gauge('tidemark_consumer_paused_partitions', {}, paused)
  }

  #inFlight(): number {
    let records = 0
    for (const partition of this.#partitions.all()) records += partition.heldRecords
    return records
  }

  /** A listener of the user that throws must not disturb the consumer. */
  #tell(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#dependencies.logger.error({ error }, 'a listener of the consumer threw')
    }
  }
}

function handlingOf({ handle, handleBatch }: ResolvedConsumerOptions): Handling {
  if (handle !== undefined) return { kind: 'each', handle }
  if (handleBatch !== undefined) return { kind: 'batch', handleBatch }
  throw new StateError('no-handler', 'a consumer needs handle or handleBatch')
}

function startOf({ position, committed }: AssignedPartition): PartitionStart {
  if (committed === null) return { position, completed: [], acknowledged: null, leftBehind: [] }
  // Reset because what is committed lay outside the log: it says nothing about the records of now.
  if (position !== committed.offset) return { position, completed: [], acknowledged: null, leftBehind: [] }
  const { completed } = progressOf(committed)
  const acknowledged = { offset: committed.offset, metadata: committed.metadata ?? '' }
  return { position, completed, acknowledged, leftBehind: [] }
}

function defect(cause: unknown): TidemarkError {
  if (cause instanceof TidemarkError) return cause
  return new TidemarkError('internal-defect', 'the consumer met something it cannot explain; please report it', {
    cause,
  })
}
