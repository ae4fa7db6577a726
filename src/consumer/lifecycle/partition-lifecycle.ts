import type {
  AssignedPartition,
  ConsumerListener,
  DriverConsumer,
  FetchedRecords,
  PositionReset,
} from '../../driver/consumer.js'
import { TidemarkError } from '../../errors.js'
import { originOf } from '../../offsets/log-identity.js'
import { progressOf } from '../../offsets/progress.js'
import { partitionKey } from '../../message/topic-partition.js'
import type { Clock } from '../../runtime/clock.js'
import type { ClientEvent, EventOf } from '../../telemetry/events.js'
import type { Telemetry } from '../../telemetry/guard.js'
import type { Tracing } from '../../telemetry/tracing.js'
import { tell } from '../../telemetry/tell.js'
import type { BackPressure } from '../partition/back-pressure.js'
import type { OwnedPartition, PartitionStart } from '../partition/owned-partition.js'
import type { OwnedPartitions } from '../partition/owned-partitions.js'
import type { DrainReport } from '../../telemetry/drain-report.js'
import type { RunningDrains } from '../release/running-drains.js'
import type { Ledger } from '../settling/ledger.js'
import type { Gauges } from '../watch/gauges.js'
import type { StallWatch } from '../watch/stall-watch.js'
import { deferred } from '../../runtime/deferred.js'
import { defect } from './defect.js'
import type { UserHooks } from './user-hooks.js'

/** Nobody can tell yet where a partition starts, so nothing of it is committed. */
const nowhere = -1

/** How long a start waits to be on record. */
const startOnRecordMs = 10_000

export interface PartitionLifecycleSettings {
  readonly group: string | null
  readonly from: 'earliest' | 'latest' | Date
  readonly onOutOfRange: 'stop' | 'earliest' | 'latest'
  readonly drainMs: number
}

export interface PartitionLifecycleParts {
  readonly partitions: OwnedPartitions
  readonly backPressure: BackPressure
  readonly ledger: Ledger
  readonly driver: () => Pick<DriverConsumer, 'seek' | 'resume'>
  readonly drains: RunningDrains
  readonly hooks: UserHooks
  readonly stallWatch: StallWatch
  readonly gauges: Gauges
  readonly clock: Clock
  readonly telemetry: Telemetry
  /** The consumer cannot go on. */
  readonly onFailed: (error: TidemarkError) => void
}

/** What the partitions that are ours go through, from assignment to release. Implements the driver's listener. */
export class PartitionLifecycle implements ConsumerListener {
  readonly #settings: PartitionLifecycleSettings
  readonly #parts: PartitionLifecycleParts
  /** `releasing` takes no further partition; what there is may be drained and committed. */
  #state: 'open' | 'releasing' | 'closed' = 'open'
  #hooksAsked: Promise<unknown> = Promise.resolve()

  constructor(settings: PartitionLifecycleSettings, parts: PartitionLifecycleParts) {
    this.#settings = settings
    this.#parts = parts
  }

  /** Resolves when every `onAssigned` that was called so far has ended once, whatever it ended with. Never rejects. */
  get hooksAsked(): Promise<unknown> {
    return this.#hooksAsked
  }

  /** Resolves when a start that the next process would not find again is on record. */
  async assigned(partitions: readonly AssignedPartition[]): Promise<void> {
    if (this.#state !== 'open') return
    const owned = partitions.map((assigned) => this.#take(assigned))
    this.#shareMarks()
    if (partitions.length === 0) return
    this.#parts.stallWatch.wake()
    if (this.#parts.hooks.asksOnAssigned) {
      this.#hold(owned)
      return
    }
    this.#tell({ kind: 'assigned', partitions: startsOf(owned) })
    await this.#startsOnRecord(owned)
  }

  records(fetched: FetchedRecords): void {
    const partition = this.#parts.partitions.ofEpoch(fetched)
    if (partition === undefined || partition.state.current !== 'active') return
    if (this.#parts.telemetry.tracing !== undefined) traceReceipt(this.#parts.telemetry.tracing, fetched)
    try {
      this.#receive(partition, fetched)
    } catch (error) {
      this.stop(partition, defect(error))
    }
  }

  /** A drain of these partitions that is under way ends by this deadline too. */
  async revoked(partitions: readonly AssignedPartition[], deadline: number): Promise<void> {
    // A stop has said itself how long handlers may take; what the group leaves of time is in the deadline.
    const finishMs = this.#state === 'open' ? this.#settings.drainMs : Infinity
    await this.#parts.drains.drain(this.#owned(partitions), 'revoked', finishMs, deadline)
  }

  lost(partitions: readonly AssignedPartition[]): void {
    const lost = this.#owned(partitions).filter(({ isGone }) => !isGone)
    this.#parts.drains.abandon(lost, 'lost')
    // Never rejects, and nobody can wait for it: others may own them.
    void this.#parts.hooks.revoked(lost, 'lost')
  }

  reset(former: AssignedPartition, assigned: AssignedPartition, { from, to, keptTo, reason }: PositionReset): void {
    const owned = this.#parts.partitions.ofEpoch(former)
    if (owned === undefined) return
    const unsettledFrom = owned.tracker.committable
    const isHeld = owned.gate.isClosedBy('hook')
    // What its user said of the former log is not said of this one.
    const isAsked = isHeld || (reason === 'topic-made-anew' && this.#parts.hooks.asksOnAssigned)
    this.#parts.drains.abandon([owned], 'reset')
    const start = keptTo === null ? startAt(to) : belowCut(owned, keptTo, to)
    const fresh = this.#parts.partitions.own(assigned, isAsked ? startAt(nowhere) : start)
    owned.successor = fresh
    const { topic, partition } = assigned
    const first = unsettledFrom < 0 ? from : Math.min(from, unsettledFrom)
    const event = { kind: 'reset', topic, partition, from: first, to: start.position, reason } as const
    if (isAsked) {
      this.#shareMarks()
      this.#hold([fresh])
      if (!isHeld) this.#tell(event)
      return
    }
    if (start.position < to) this.#parts.driver().seek(assigned, start.position, 'read')
    this.#shareMarks()
    // Else the next process would go on from what the group had of the former log.
    if (this.#settings.group !== null) this.#parts.ledger.begins(fresh)
    this.#tell(event)
  }

  /** What was fetched may be the only copy: it is handled first. */
  partitionFailed(assigned: AssignedPartition, error: TidemarkError): void {
    const partition = this.#parts.partitions.ofEpoch(assigned)
    if (partition === undefined) return
    if (partition.heldRecords === 0 || partition.state.current !== 'active') {
      this.stop(partition, error)
      return
    }
    const { topic, partition: number, heldRecords } = partition
    partition.inflow.endWith(error)
    partition.lanes.supplied()
    this.#tell({ kind: 'partition-unreadable', topic, partition: number, unsettled: heldRecords, error })
  }

  failed(error: TidemarkError): void {
    this.#parts.onFailed(error)
  }

  /** Takes no further partition, finishes and commits what there is. */
  async release(deadline: number): Promise<void> {
    if (this.#state === 'open') this.#state = 'releasing'
    await this.#parts.drains.drain(this.#parts.partitions.all(), 'stopped', Infinity, deadline)
  }

  /** Gives everything up at once, without a commit. */
  abandonAll(): void {
    this.#state = 'closed'
    this.#parts.ledger.close()
    this.#parts.drains.abandon(this.#parts.partitions.all(), 'forced')
  }

  /** No timer is left. */
  close(): void {
    this.#state = 'closed'
    this.#parts.ledger.close()
    this.#parts.hooks.close()
    this.#parts.stallWatch.close()
  }

  #take(assigned: AssignedPartition): OwnedPartition {
    // Assigned again without a revoke: whatever the old epoch still does must not count.
    const former = this.#parts.partitions.get(assigned.topic, assigned.partition)
    if (former !== undefined) this.#parts.drains.abandon([former], 'lost')
    const isHeld = this.#parts.hooks.asksOnAssigned
    return this.#parts.partitions.own(assigned, isHeld ? startAt(nowhere) : startOf(assigned))
  }

  /** Until the user has said where they start. */
  #hold(owned: readonly OwnedPartition[]): void {
    for (const { gate } of owned) gate.close('hook')
    const { promise, resolve } = deferred<void>()
    this.#hooksAsked = Promise.all([this.#hooksAsked, promise])
    void this.#startAsTold(owned, resolve).catch((error: unknown) => this.#parts.onFailed(defect(error)))
  }

  async #startAsTold(held: readonly OwnedPartition[], onAsked: () => void): Promise<void> {
    try {
      const starts = await this.#parts.hooks.startsOf(held, onAsked)
      if (starts === null) return
      const fresh = held.flatMap((owned) =>
        this.#startAt(owned, starts.get(partitionKey(owned.topic, owned.partition))),
      )
      if (fresh.length > 0) this.#tell({ kind: 'assigned', partitions: startsOf(fresh) })
      this.#parts.gauges.changed()
      await this.#startsOnRecord(fresh)
    } finally {
      onAsked()
    }
  }

  /** @param offset where the user wants it to start; `undefined`: where its group stands */
  #startAt(held: OwnedPartition, offset: number | undefined): OwnedPartition[] {
    if (held.state.is('draining', 'gone')) return []
    if (offset === undefined && held.state.is('stopped')) {
      held.gate.lift('hook')
      return []
    }
    const { assigned, stoppedBy } = held
    held.leave()
    const fresh = this.#parts.partitions.own(assigned, offset === undefined ? startOf(assigned) : startAt(offset))
    held.successor = fresh
    const { topic, partition, startedAt } = fresh
    if (stoppedBy !== null) this.#tell({ kind: 'partition-restarted', topic, partition, offset: startedAt })
    if (offset !== undefined) this.#parts.driver().seek(assigned, offset, 'now')
    if (fresh.gate.isOpen('fetch')) this.#parts.driver().resume(assigned)
    return [fresh]
  }

  /**
   * By the next start `latest` lies further on, so what was written in between would be passed over; and what was committed
   * in a former log may lie within this one.
   */
  async #startsOnRecord(owned: readonly OwnedPartition[]): Promise<void> {
    const { group, from } = this.#settings
    const { ledger, clock } = this.#parts
    if (group === null) return
    const fresh = owned.filter(({ acknowledged, assigned: { committed, position } }) => {
      return acknowledged === null && position >= 0 && (committed !== null || from !== 'earliest')
    })
    if (fresh.length === 0) return
    for (const partition of fresh) ledger.begins(partition)
    await ledger.flush(fresh, clock.now() + startOnRecordMs)
    const open = fresh.filter((partition) => !partition.isGone && ledger.leastProgress(partition) === null)
    if (open.length === 0) return
    this.#tell({ kind: 'start-unrecorded', partitions: startsOf(open) })
  }

  #owned(partitions: readonly AssignedPartition[]): OwnedPartition[] {
    return partitions.flatMap((partition) => this.#parts.partitions.ofEpoch(partition) ?? [])
  }

  #receive(partition: OwnedPartition, fetched: FetchedRecords): void {
    if (partition.heldRecords === 0) partition.lastProgressAt = this.#parts.clock.now()
    partition.inflow.push(fetched)
    this.#parts.backPressure.grown(partition)
    partition.lanes.supplied()
  }

  /** What was given up is forgotten, and told. */
  drained(report: DrainReport): void {
    for (const { topic, partition } of report.partitions) {
      const owned = this.#parts.partitions.get(topic, partition)
      if (owned?.isGone === true) this.#parts.partitions.remove(owned)
    }
    this.#shareMarks()
    this.#parts.gauges.changed()
    this.#tell({ kind: 'drained', drain: report })
  }

  /** Visibly: what runs may finish, nothing new starts. */
  stop(partition: OwnedPartition, cause: Error): void {
    const error = cause instanceof TidemarkError ? cause : defect(cause)
    const { topic, partition: number } = partition
    partition.stoppedBy ??= error
    const stopsNow = partition.state.current === 'active'
    if (stopsNow) {
      partition.state.to('stopped')
      partition.close()
      partition.gate.close('stopped')
    }
    if (stopsNow) this.#parts.gauges.changed()
    const kind = stopsNow ? 'partition-stopped' : 'failed-meanwhile'
    this.#tell({ kind, topic, partition: number, offset: error.offset, error })
  }

  #tell(event: ClientEvent): void {
    tell(this.#parts.telemetry, event)
  }

  #shareMarks(): void {
    this.#parts.backPressure.share(this.#parts.partitions.size)
  }
}

function startsOf(partitions: readonly OwnedPartition[]): EventOf<'assigned'>['partitions'] {
  return partitions.map(({ topic, partition, startedAt }) => ({ topic, partition, offset: startedAt }))
}

function startOf({ position, committed, log }: AssignedPartition): PartitionStart {
  if (committed === null) return startAt(position)
  const origin = originOf(committed.metadata, log)
  // Reset because what is committed lay outside the log, or in a former one: it says nothing about the records of now.
  if (position !== committed.offset || origin === 'former-log') return startAt(position)
  const metadata = origin === 'this-log' ? (committed.metadata ?? '') : ''
  const acknowledged = { offset: committed.offset, metadata }
  const { completed } = progressOf(acknowledged)
  return { position, completed, acknowledged, leftBehind: [] }
}

/**
 * What stands below the cut is as it was read: what of it waited for its handler is read again, what is settled is not. What
 * stands there from the cut up to `to` is passed over.
 */
function belowCut({ tracker }: OwnedPartition, cut: number, to: number): PartitionStart {
  const position = tracker.committable
  if (position >= cut) return startAt(to)
  const settled = tracker.completedRanges().map((range) => ({ from: range.from, to: Math.min(range.to, cut) }))
  return { position, completed: [...settled, { from: cut, to }], acknowledged: null, leftBehind: [] }
}

function startAt(position: number): PartitionStart {
  return { position, completed: [], acknowledged: null, leftBehind: [] }
}

function traceReceipt(tracing: Tracing, { topic, partition, batches }: FetchedRecords): void {
  const count = batches.reduce((records, batch) => records + batch.count, 0)
  if (count > 0) tracing.receive({ topic, partition, count })
}
