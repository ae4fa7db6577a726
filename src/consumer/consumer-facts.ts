import type { CommitOutcome, ConsumerFacts as DriverFacts } from '../driver/consumer.js'
import type { TidemarkError } from '../errors.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { DrainReport } from './drain.js'
import type { OwnedPartition, PartitionState, PauseReason } from './owned-partition.js'

/** One partition as it stands. Offsets are next offsets; times are absolute ms. */
export interface PartitionFacts extends TopicPartition {
  readonly epoch: number
  readonly state: PartitionState
  /** Next offset to fetch. */
  readonly position: number
  /** Everything below is settled. */
  readonly settled: number
  /** What the group is known to have stored. */
  readonly committed: number | null
  /** End of the log at the last fetch: of what may be read under the isolation level. */
  readonly end: number
  /** Records between `settled` and `end`. */
  readonly lag: number
  readonly unsettled: number
  readonly unsettledBytes: number
  readonly running: number
  readonly queued: number
  readonly pausedBy: readonly PauseReason[]
  readonly lastProgressAt: number
  /** How long there has been work without progress; 0 when there is no work. */
  readonly stalledMs: number
  readonly stoppedBy: TidemarkError | null
  /** Failed writes, in a row, to the dead-letter topic. */
  readonly deadLetterFailures: number
}

/** A consumer as it stands, for health, metrics and watchdogs. */
export interface ConsumerFacts {
  readonly state: string
  readonly driver: DriverFacts | null
  readonly partitions: readonly PartitionFacts[]
  readonly running: number
  /** Start of the handler call that has been running longest; `null` when none is. */
  readonly oldestHandlerStartedAt: number | null
  /** Handlers that ignore that their time is over and their signal aborted; they are not part of `running`. */
  readonly overrunning: number
  /** Records whose handling ended after their partition was gone. */
  readonly late: number
  readonly commits: Readonly<Record<CommitOutcome, number>>
  readonly lastDrain: DrainReport | null
  readonly error: TidemarkError | null
}

export function partitionFacts(partition: OwnedPartition, readsCommitted: boolean, now: number): PartitionFacts {
  const { tracker, lanes } = partition
  const end = readsCommitted ? partition.lastStableOffset : partition.highWatermark
  const lag = Math.max(0, end - tracker.committable)
  const hasWork = partition.heldRecords > 0 || (lag > 0 && !partition.pauses.has('user'))
  return {
    topic: partition.topic,
    partition: partition.partition,
    epoch: partition.epoch,
    state: partition.state.current,
    position: tracker.end,
    settled: tracker.committable,
    committed: partition.acknowledged?.offset ?? null,
    end,
    lag,
    unsettled: partition.heldRecords,
    unsettledBytes: Math.round(partition.heldBytes),
    running: lanes.running,
    queued: lanes.queued,
    pausedBy: [...partition.pauses],
    lastProgressAt: partition.lastProgressAt,
    stalledMs: hasWork ? now - partition.lastProgressAt : 0,
    stoppedBy: partition.stoppedBy,
    deadLetterFailures: partition.deadLetterFailures,
  }
}
