import { TidemarkError } from '../../errors.js'
import { mergeRanges, type OffsetRange } from '../../offsets/offset-range.js'
import { notDone } from '../../offsets/progress.js'
import type { Clock } from '../../runtime/clock.js'
import type { DrainedOffset, DrainedRange, DrainReason, DrainReport } from '../../telemetry/drain-report.js'
import type { RunningCalls } from '../handling/running-calls.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Ledger } from '../settling/ledger.js'
import type { DrainTime } from './drain-time.js'

export type AbandonReason = Exclude<DrainReason, 'revoked' | 'stopped'>

export interface DrainTools {
  readonly clock: Clock
  readonly ledger: Ledger
  readonly running: RunningCalls
  /** Told when partitions begin to be given up; waited for as handlers are. Never rejects. */
  readonly onRevoked: (
    partitions: readonly OwnedPartition[],
    reason: 'revoked' | 'stopped',
    timeUp: Promise<unknown>,
  ) => Promise<void>
}

/**
 * Gives partitions up in order: nothing new starts, what runs may finish, what is settled is committed, and from then on
 * nothing of them counts. All of it ends within `time`; handlers that have not finished see their signal abort.
 */
export async function drain(
  partitions: readonly OwnedPartition[],
  reason: 'revoked' | 'stopped',
  time: DrainTime,
  tools: DrainTools,
): Promise<DrainReport> {
  const startedAt = tools.clock.now()
  for (const partition of partitions) startDraining(partition)
  const unfinished = new Map(partitions.map((partition) => [partition, runningRecords(partition)]))
  const told = tools.onRevoked(partitions, reason, time.handlersTimeUp)
  await Promise.race([Promise.all([allIdle(partitions), told]), time.handlersTimeUp])
  const left = partitions.filter((partition) => !partition.isGone)
  for (const partition of left) abortHandlers(partition, reason, tools.running)
  // A flush that is cut short ends by itself, since its partitions are gone then.
  if (left.length > 0) await Promise.race([tools.ledger.flush(left, time.deadline), time.timeUp])
  // What went lost meanwhile was reported by that.
  const ended = left.filter((partition) => !partition.isGone)
  const before = ended.reduce((sum, partition) => sum + (unfinished.get(partition) ?? 0), 0)
  return report(ended, reason, startedAt, before, tools)
}

/** Gives partitions up at once: nothing is awaited, nothing committed. */
export function abandon(partitions: readonly OwnedPartition[], reason: AbandonReason, tools: DrainTools): DrainReport {
  const unfinished = partitions.reduce((sum, partition) => sum + runningRecords(partition), 0)
  for (const partition of partitions) abortHandlers(partition, reason, tools.running)
  return report(partitions, reason, tools.clock.now(), unfinished, tools)
}

function startDraining(partition: OwnedPartition): void {
  partition.state.to('draining')
  partition.close()
}

/** Until nothing runs or all partitions are gone. */
async function allIdle(partitions: readonly OwnedPartition[]): Promise<void> {
  await Promise.all(partitions.map((partition) => partition.whenIdleOrGone()))
}

function abortHandlers(partition: OwnedPartition, reason: DrainReason, running: RunningCalls): void {
  const { topic, partition: number } = partition
  const error = new TidemarkError(
    'partition-gone',
    `${topic}-${number} was ${reason} before the handler ended; its record will be handled again`,
    { topic, partition: number },
  )
  running.abort(partition, error)
}

function report(
  partitions: readonly OwnedPartition[],
  reason: DrainReason,
  startedAt: number,
  unfinishedBefore: number,
  { clock, ledger }: DrainTools,
): DrainReport {
  const abandoned = partitions.reduce((sum, partition) => sum + runningRecords(partition), 0)
  const result: DrainReport = {
    reason,
    partitions: partitions.map(({ topic, partition }) => ({ topic, partition })),
    drained: unfinishedBefore - abandoned,
    abandoned,
    committed: partitions.flatMap(committedOffset),
    possibleDuplicates: partitions.flatMap((partition) => possibleDuplicates(partition, ledger)),
    doneBeyond: partitions.flatMap((partition) => doneBeyond(partition, ledger)),
    tookMs: clock.now() - startedAt,
  }
  for (const partition of partitions) partition.leave()
  return result
}

function runningRecords({ tracker, failed }: OwnedPartition): number {
  return tracker.startedRecords() - failed
}

function committedOffset({ topic, partition, acknowledged }: OwnedPartition): DrainedOffset[] {
  return acknowledged === null ? [] : [{ topic, partition, offset: acknowledged.offset }]
}

/** Without a record of what is done nobody goes on where this one stopped. */
function possibleDuplicates(partition: OwnedPartition, ledger: Ledger): DrainedRange[] {
  if (ledger.windowMs === null) return []
  const { topic, partition: number } = partition
  return uncommittedRanges(partition, ledger).map((range) => ({ topic, partition: number, ...range }))
}

function doneBeyond(partition: OwnedPartition, ledger: Ledger): DrainedRange[] {
  const { topic, partition: number } = partition
  return (ledger.leastProgress(partition)?.completed ?? []).map((range) => ({ topic, partition: number, ...range }))
}

/** Everything that was touched, less what the next owner is sure to find done. */
export function uncommittedRanges(partition: OwnedPartition, ledger: Ledger): OffsetRange[] {
  const { tracker, acknowledged, startedAt, leftBehind, begun } = partition
  // Before the first commit from there, the group goes on where the partition stood before it was sought or started again.
  const isBehind = acknowledged === null || acknowledged.offset < startedAt
  const mayGoBack = isBehind || ledger.mayFallBack(partition)
  const touched = mergeRanges([
    { from: startedAt, to: tracker.touchedEnd },
    ...tracker.completedRanges(),
    ...tracker.startedRanges(),
    ...begun,
    ...(mayGoBack ? leftBehind : []),
  ])
  const least = ledger.leastProgress(partition)
  return least === null ? touched : notDone(touched, least)
}
