import type {
  CommitOutcome,
  DriverConsumer,
  DriverConsumerFacts as DriverFacts,
  KnownEnd,
} from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { wallTimeOf, type Clock } from '../../runtime/clock.js'
import type { PauseReason } from '../partition/gate.js'
import type { OrderFacts } from '../partition/order-facts.js'
import type { OwnedPartition, PartitionState } from '../partition/owned-partition.js'
import type { Unavailable, WaitsFor } from '../../telemetry/events.js'
import type { DrainReport } from '../../telemetry/drain-report.js'
import type { StandingTrouble } from '../../telemetry/troubles.js'
import { deletedTopics } from './deleted-topics.js'
import type { Progress } from './stall-watch.js'

/** One partition as it stands. Offsets are next offsets; times are wall time, ms since the Unix epoch. */
export interface PartitionFacts extends TopicPartition {
  readonly epoch: number
  readonly state: PartitionState
  /** Next offset to take up; what was fetched and waits begins here. -1, as `settled`, while `onAssigned` has not said where it starts. */
  readonly position: number
  /** Everything below is settled. */
  readonly settled: number
  /** What the group is known to have stored. */
  readonly committed: number | null
  /** End of the log, of what may be read under the isolation level, as a broker told it at `endOffsetAt`; `null` until one has. */
  readonly end: number | null
  readonly endOffsetAt: number | null
  /** Offsets between `settled` and `end`; `null` while the end is not known. Of a deleted topic what was fetched and is not settled. */
  readonly lag: number | null
  /** Received and not settled. */
  readonly unsettled: number
  readonly unsettledBytes: number
  readonly running: number
  readonly queued: number
  readonly pausedBy: readonly PauseReason[]
  readonly lastProgressAt: number
  /** How long there has been work without progress; 0 when there is no work. */
  readonly stalledMs: number
  /** What that work waits for; `null` when there is none. */
  readonly waitsFor: WaitsFor | null
  readonly stoppedBy: TidemarkError | null
  /** Failed writes, in a row, to the dead-letter topic. */
  readonly deadLetterFailures: number
}

/** A consumer as it stands, for health, metrics and watchdogs. May be turned into JSON as it is. */
export interface ConsumerFacts {
  readonly client: string
  /** `null` without a group. */
  readonly group: string | null
  readonly topics: readonly string[]
  readonly state: string
  readonly driver: DriverFacts | null
  readonly partitions: readonly PartitionFacts[]
  /** Partitions of ours that nobody can tell yet where to start, so they are not read; they are not in `partitions`. */
  readonly startless: readonly TopicPartition[]
  /** Topics that nothing can be read of: they do not exist (any more), or may not be seen. */
  readonly unavailableTopics: readonly { readonly topic: string; readonly why: Unavailable }[]
  /** Records received and not settled. */
  readonly inFlight: number
  /** Handlers, or batches, running now. */
  readonly running: number
  /** Start of the handler call that has been running longest; `null` when none is. */
  readonly oldestHandlerStartedAt: number | null
  /** Handlers that ignore that their time is over and their signal aborted; they are not part of `running`. */
  readonly overrunning: number
  /** How long no fetch has been answered although there are partitions to fetch; 0 when there are none. */
  readonly pollAgeMs: number
  /** Records whose handling ended after their partition was gone. */
  readonly late: number
  readonly commits: Readonly<Record<CommitOutcome, number>>
  /** How long settled work stays uncommitted at the most while commits are answered, ms; `null` without a group. */
  readonly commitWindowMs: number | null
  /** With `reorder`: the order of event time. */
  readonly order: OrderFacts | null
  readonly lastDrain: DrainReport | null
  /** What lasts: told as an event, and not ended. */
  readonly troubles: readonly StandingTrouble[]
  readonly error: TidemarkError | null
}

/** What the parts of a consumer tell of themselves. */
export type PartsFacts = Omit<
  ConsumerFacts,
  'client' | 'group' | 'topics' | 'state' | 'driver' | 'startless' | 'unavailableTopics' | 'troubles' | 'error'
>

interface FactsParts {
  readonly partitions: readonly OwnedPartition[]
  readonly driver: () => Pick<DriverConsumer, 'endOf' | 'facts'>
  readonly dispatch: { readonly running: number }
  readonly settler: { readonly late: number }
  readonly running: { readonly oldestStartedAt: number | null; readonly overrunning: number }
  readonly ledger: { readonly counts: Readonly<Record<CommitOutcome, number>>; readonly windowMs: number | null }
  readonly drains: { readonly last: DrainReport | null }
  readonly stallWatch: { progressOf(partition: OwnedPartition): Progress; pollAgeMs(): number }
  readonly gauges: { readonly inFlight: number }
  readonly ordering: { facts(): OrderFacts } | null
  readonly clock: Clock
}

export function partsFacts(parts: FactsParts): PartsFacts {
  const { partitions, driver, dispatch, settler, running, ledger, drains, stallWatch, gauges, ordering, clock } = parts
  const { oldestStartedAt } = running
  const deleted = partitions.length === 0 ? null : deletedTopics(driver())
  return {
    partitions: partitions.map((one) => {
      const told = partitionFacts(one, driver().endOf(one), stallWatch.progressOf(one), clock)
      return deleted?.has(one.topic) === true ? { ...told, lag: one.heldRecords } : told
    }),
    inFlight: gauges.inFlight,
    running: dispatch.running,
    oldestHandlerStartedAt: oldestStartedAt === null ? null : wallTimeOf(clock, oldestStartedAt),
    overrunning: running.overrunning,
    pollAgeMs: partitions.length === 0 ? 0 : stallWatch.pollAgeMs(),
    late: settler.late,
    commits: ledger.counts,
    commitWindowMs: ledger.windowMs,
    order: ordering?.facts() ?? null,
    lastDrain: drains.last,
  }
}

function partitionFacts(
  partition: OwnedPartition,
  known: KnownEnd | null,
  { waitsFor, stalledMs }: Progress,
  clock: Clock,
): PartitionFacts {
  const { tracker, lanes } = partition
  const end = known === null ? null : Math.max(known.offset, tracker.end)
  return {
    topic: partition.topic,
    partition: partition.partition,
    epoch: partition.epoch,
    state: partition.state.current,
    position: tracker.end,
    settled: tracker.committable,
    committed: partition.acknowledged?.offset ?? null,
    end,
    endOffsetAt: known === null ? null : wallTimeOf(clock, known.at),
    lag: end === null ? null : Math.max(0, end - tracker.committable),
    unsettled: partition.heldRecords,
    unsettledBytes: Math.round(partition.heldBytes),
    running: lanes.running,
    queued: lanes.queued,
    pausedBy: partition.gate.reasons,
    lastProgressAt: wallTimeOf(clock, partition.lastProgressAt),
    stalledMs,
    waitsFor,
    stoppedBy: partition.stoppedBy,
    deadLetterFailures: partition.deadLetterFailures,
  }
}

/** A driver tells moments of its clock; people read the time of day. */
export function onWallClock(facts: DriverFacts, clock: Clock): DriverFacts {
  const { lastHeartbeatAt, lastFetchAt } = facts
  return {
    ...facts,
    lastHeartbeatAt: lastHeartbeatAt === null ? null : wallTimeOf(clock, lastHeartbeatAt),
    lastFetchAt: lastFetchAt === null ? null : wallTimeOf(clock, lastFetchAt),
  }
}
