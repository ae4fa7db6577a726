import type { Connection } from '../../connection/connection.js'
import type {
  AssignedPartition,
  CommitOutcome,
  DriverConsumerFacts,
  ConsumerListener,
  ConsumerSettings,
  DriverConsumer,
  KnownEnd,
  OffsetToCommit,
} from '../../driver/consumer.js'
import { DriverError, StateError, TidemarkError, TimeoutError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { Cutoff } from '../../runtime/cutoff.js'
import { deferred } from '../../runtime/deferred.js'
import type { Runtime } from '../../runtime/runtime.js'
import { StateMachine, type Moves } from '../../runtime/state-machine.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { ConsumeContext } from '../cluster/client-context.js'
import { Cluster } from '../cluster/cluster.js'
import { CoordinatorLine } from '../cluster/coordinator-line.js'
import { Fetcher } from '../fetch/fetcher.js'
import { AllPartitions } from '../group/all-partitions.js'
import { Companions } from '../group/companions.js'
import { GroupMember } from '../group/member.js'
import type { Membership, MembershipEvents } from '../group/membership.js'
import { OffsetCommitter } from '../offsets/commit.js'
import { EndOffsets } from '../offsets/end-offsets.js'
import { HandOver } from './hand-over.js'
import { HeldUpReaders } from './held-up-readers.js'
import { ListenerGate } from './listener-gate.js'
import { MatchingTopics } from './matching-topics.js'
import { OutOfRangePolicy } from './out-of-range.js'
import { SourceTopics } from './source-topics.js'

/**
 * A consumer over any connection. What goes wrong before the first assignment makes `start` reject and ends the consumer
 * without a call of `listener.failed`; what goes wrong later is told there, after `listener.lost` for what was held.
 */
export function createProtocolConsumer(
  connection: Connection,
  runtime: Runtime,
  settings: ConsumerSettings,
  listener: ConsumerListener,
): DriverConsumer {
  return new ProtocolConsumer(connection, runtime, settings, listener)
}

type ConsumerState = 'new' | 'starting' | 'running' | 'stopping' | 'failed' | 'stopped'

const moves: Moves<ConsumerState> = {
  new: ['starting', 'stopped'],
  starting: ['running', 'stopping', 'failed'],
  running: ['stopping', 'failed'],
  stopping: ['stopped'],
  failed: ['stopping'],
  stopped: [],
}

/** A start that failed still says goodbye, so that the group does not wait a session timeout for a member that is none. */
const leaveGraceMs = 1_000
/** Of partitions, in one text. */
const mostNamed = 5

type FirstNews = { readonly kind: 'assigned' } | { readonly kind: 'failed'; readonly error: TidemarkError }

/** The same, with the topics that match at the time of asking. */
function livingTopics(context: ConsumeContext, matching: MatchingTopics): ConsumeContext {
  const settings: ConsumerSettings = Object.defineProperty({ ...context.settings }, 'topics', {
    get: () => matching.names,
    enumerable: true,
  })
  return { ...context, settings, onTopicsChange: (listener) => matching.onChange(listener), known: matching }
}

class ProtocolConsumer implements DriverConsumer {
  readonly #runtime: Runtime
  readonly #listener: ListenerGate
  readonly #cluster: Cluster
  readonly #fetcher: Fetcher
  readonly #handOver: HandOver
  readonly #ends: EndOffsets
  readonly #heldUp: HeldUpReaders
  readonly #membership: Membership
  readonly #settings: Pick<ConsumerSettings, 'rackId' | 'logger'>
  readonly #committer: OffsetCommitter
  readonly #outOfRange: OutOfRangePolicy
  readonly #topics: SourceTopics
  readonly #matching: MatchingTopics
  readonly #companions: Companions
  readonly #machine = new StateMachine<ConsumerState>('the consumer', 'new', moves)
  readonly #firstNews = deferred<FirstNews>()
  #stopping: { readonly cutoff: Cutoff; readonly ended: Promise<void> } | null = null

  constructor(connection: Connection, runtime: Runtime, settings: ConsumerSettings, listener: ConsumerListener) {
    this.#runtime = runtime
    this.#settings = settings
    const gate = new ListenerGate(listener, (defect) => this.#defect(defect))
    this.#listener = gate
    this.#cluster = new Cluster(connection, runtime, settings)
    const given = { cluster: this.#cluster, runtime, settings }
    this.#topics = new SourceTopics(given)
    const matching = new MatchingTopics(given)
    this.#matching = matching
    const context: ConsumeContext = settings.matching === undefined ? given : livingTopics(given, matching)
    this.#companions = new Companions(settings.companions)
    const line = settings.groupId === null ? null : new CoordinatorLine(context, settings.groupId)
    this.#fetcher = new Fetcher(context, {
      endSeen: (fetched, by) => {
        this.#ends.seen(fetched, by)
        this.#heldUp.seen(fetched)
      },
      endsStand: (leftOut) => {
        this.#ends.stand(leftOut)
        this.#heldUp.stand(leftOut)
      },
      records: (fetched) => gate.records(fetched),
      partitionFailed: (partition, error) => gate.partitionFailed(partition, error),
      outOfRange: (partition, position, loss) => {
        this.#outOfRange.decide(partition, position, loss).catch((defect: unknown) => this.#defect(defect))
      },
      refused: (error) => this.#membership.fail(error),
    })
    this.#ends = new EndOffsets(context)
    this.#heldUp = new HeldUpReaders(context)
    const parts = { listener: gate, fetcher: this.#fetcher }
    this.#handOver = new HandOver(context, { ...parts, ends: this.#ends })
    this.#outOfRange = new OutOfRangePolicy(context, { ...parts, handOver: this.#handOver })
    const events = this.#membershipEvents()
    this.#membership = line === null ? new AllPartitions(context, events) : new GroupMember(context, line, events)
    this.#committer = new OffsetCommitter(context, {
      line,
      assigned: (at, epoch) => this.#handOver.assigned(at, epoch),
      isInAnotherLog: (partition, offset) => this.#fetcher.logs.isInAnotherLog(partition, offset),
      topicIdOf: (partition) => this.#fetcher.logs.topicIdOf(partition),
      seeksOf: (partition) => this.#fetcher.logs.seeksOf(partition),
      leaderEpochBefore: (partition, offset) => this.#fetcher.logs.leaderEpochBefore(partition, offset),
      identity: () => this.#membership.identity(),
      refused: (code, generationId) => this.#membership.commitRefused(code, generationId),
    })
  }

  async start(deadline: number): Promise<void> {
    this.#machine.require('start', 'new')
    this.#machine.to('starting')
    try {
      await this.#cluster.connect(deadline)
      this.#tellOfRack()
      await this.#matching.start(deadline)
      if (this.#machine.is('starting')) {
        this.#topics.start()
        this.#membership.start()
      }
      await this.#firstAssignment(deadline)
    } catch (failure) {
      await this.#end(this.#runtime.clock.now() + leaveGraceMs)
      throw failure
    }
  }

  /** Nothing else would show that a word is another one here than at the brokers. */
  #tellOfRack(): void {
    const { rackId, logger } = this.#settings
    const { racks } = this.#cluster
    if (rackId === undefined || racks.includes(rackId)) return
    logger.warn(
      { rackId, racks },
      "no broker that is up is in the rack of this consumer, so it reads from the leaders; write rackId as the brokers' broker.rack has it",
    )
  }

  commit(offsets: readonly OffsetToCommit[], deadline: number): Promise<readonly CommitOutcome[]> {
    return this.#committer.commit(offsets, deadline)
  }

  pause(partition: TopicPartition): void {
    this.#fetcher.pause(partition)
  }

  resume(partition: TopicPartition): void {
    this.#fetcher.resume(partition)
  }

  seek(partition: TopicPartition, offset: number, log?: 'now' | 'read'): void {
    this.#fetcher.seek(partition, offset, log)
  }

  assignment(): readonly AssignedPartition[] {
    return this.#handOver.all()
  }

  endOf(partition: TopicPartition): KnownEnd | null {
    return this.#ends.of(partition)
  }

  facts(): DriverConsumerFacts {
    return {
      ...this.#membership.facts(),
      lastFetchAt: this.#fetcher.lastFetchAt,
      startless: this.#handOver.startless().map(({ topic, partition }) => ({ topic, partition })),
      unavailableTopics: this.#topics.unavailable(),
      hasAssignment: this.#membership.hasAssignment(),
    }
  }

  async stop(deadline: number): Promise<void> {
    await this.#end(deadline)
  }

  #membershipEvents(): MembershipEvents {
    return {
      assigned: (partitions, from) => {
        const ours = this.#companions.along(partitions)
        this.#handOver.take(ours, from, () => this.#delivered()).catch((defect: unknown) => this.#defect(defect))
      },
      revoked: (partitions, deadline) => this.#handOver.revoke(this.#companions.along(partitions), deadline),
      lost: (partitions) => this.#handOver.lose(this.#companions.along(partitions)),
      failed: (error) => this.#failed(error),
    }
  }

  #delivered(): void {
    if (this.#machine.is('starting')) this.#machine.to('running')
    void this.#ends.learn().then(() => this.#firstNews.resolve({ kind: 'assigned' })) // never rejects
  }

  #failed(error: TidemarkError): void {
    this.#fetcher.close()
    this.#firstNews.resolve({ kind: 'failed', error })
    const wasRunning = this.#machine.is('running')
    if (this.#machine.is('starting', 'running')) this.#machine.to('failed')
    if (wasRunning) this.#listener.failed(error)
  }

  /** Code of ours or of the listener threw where nothing may be thrown: better stopped and seen than half alive. */
  #defect(cause: unknown): void {
    const message = `the consumer met a defect and has stopped: ${String(cause)}; report it with its cause`
    this.#membership.fail(new DriverError('defect', message, { cause }))
  }

  async #firstAssignment(deadline: number): Promise<void> {
    const news = await withinDeadline(this.#firstNews.promise, {
      clock: this.#runtime.clock,
      deadline,
      onLate: () => {
        // Assigned, and the ends are asked for yet.
        if (this.#machine.is('running')) return { kind: 'assigned' } as const
        throw this.#startTimeout()
      },
    })
    if (news.kind === 'failed') throw news.error
  }

  #startTimeout(): TimeoutError {
    const { state } = this.#membership.facts()
    const trouble = this.#membership.trouble()
    const reason = typeof trouble === 'string' ? trouble : trouble?.message
    const startless = this.#handOver.startless().map(({ topic, partition }) => `${topic}-${partition}`)
    const why =
      startless.length === 0
        ? `the consumer had no assignment before its deadline (it is ${state}); ` +
          (reason === undefined
            ? 'check that the brokers are reachable, or allow more time: a join may take up to the rebalance timeout'
            : `last trouble: ${reason}`)
        : `the consumer was given ${startless.slice(0, mostNamed).join(', ')}${startless.length > mostNamed ? ', …' : ''} and ` +
          'learnt of none where it starts before its deadline; check that their topics exist and have leaders, and that ' +
          'the coordinator of the group answers'
    return new TimeoutError('start-timeout', why, {
      retriable: true,
      cause: trouble instanceof TidemarkError ? trouble : undefined,
    })
  }

  /** Of several deadlines the earliest counts; all callers wait for the same end. */
  #end(deadline: number): Promise<void> {
    if (this.#stopping === null) {
      const cutoff = new Cutoff(this.#runtime.clock, deadline)
      this.#stopping = { cutoff, ended: this.#endOnce(cutoff) }
    } else if (deadline < this.#stopping.cutoff.at) {
      this.#stopping.cutoff.bringForward(deadline)
      void this.#membership.stop(deadline) // never rejects; the first call waits for the same end
    }
    return this.#stopping.ended
  }

  async #endOnce(cutoff: Cutoff): Promise<void> {
    const hadAssignment = this.#machine.is('running')
    if (this.#machine.is('new')) this.#machine.to('stopped')
    else this.#machine.to('stopping')
    const error = new StateError('stopped', 'the consumer was stopped before it had an assignment')
    this.#firstNews.resolve(hadAssignment ? { kind: 'assigned' } : { kind: 'failed', error })
    await Promise.race([this.#membership.stop(cutoff.at), cutoff.reached])
    cutoff.cancel()
    this.#topics.close()
    this.#matching.close()
    this.#fetcher.close()
    this.#listener.close()
    this.#heldUp.close()
    await this.#cluster.close()
    if (this.#machine.is('stopping')) this.#machine.to('stopped')
  }
}
