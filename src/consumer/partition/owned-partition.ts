import type { AssignedPartition, DriverConsumer } from '../../driver/consumer.js'
import type { TidemarkError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { OffsetRange } from '../../offsets/offset-range.js'
import type { WriteFence } from '../../offsets/write-fences.js'
import { OffsetTracker } from '../../offsets/offset-tracker.js'
import { StateMachine } from '../../runtime/state-machine.js'
import { whenAborted } from '../../runtime/when-aborted.js'
import type { LabelsOf } from '../../telemetry/metric-names.js'
import { PartitionGate } from './gate.js'
import type { PartitionInflow, PartitionLanes, WayIn } from './way-in.js'

/** More may come. */
export type PartitionState = 'active' | 'stopped' | 'draining' | 'gone'

const moves = {
  active: ['stopped', 'draining', 'gone'],
  /** A record failed and had nowhere to go: what runs may finish, nothing new starts. */
  stopped: ['draining', 'gone'],
  draining: ['gone'],
  gone: [],
} as const satisfies Record<PartitionState, readonly PartitionState[]>

/** Made once for each partition: they are needed for each record. */
export type OutcomeLabels = LabelsOf<'tidemark_consumer_records_total'>

/** What the group is known to have stored for the partition. */
export interface Acknowledged {
  readonly offset: number
  readonly metadata: string
}

export interface PartitionStart {
  readonly position: number
  readonly completed: readonly OffsetRange[]
  readonly acknowledged: Acknowledged | null
  /** Handled before a seek and not known to be committed: until the new place is, the next owner reads it again. */
  readonly leftBehind: readonly OffsetRange[]
  /** Begun before it was started again, and not done: whoever goes on from here handles it once more. Missing: nothing. */
  readonly begun?: readonly OffsetRange[] | undefined
}

export interface OwnedPartitionParts {
  readonly wayInOf: (partition: OwnedPartition) => WayIn
  readonly fetching: Pick<DriverConsumer, 'pause' | 'resume'>
}

/** A partition while it is ours: one object for each assignment epoch, and a new one after a seek. */
export class OwnedPartition implements TopicPartition {
  readonly topic: string
  readonly partition: number
  readonly epoch: number
  readonly startedAt: number
  readonly leftBehind: readonly OffsetRange[]
  readonly begun: readonly OffsetRange[]
  readonly state: StateMachine<PartitionState>
  readonly tracker: OffsetTracker
  readonly inflow: PartitionInflow
  readonly lanes: PartitionLanes
  readonly gate: PartitionGate
  readonly labels: Readonly<
    Record<'handled' | 'deadLettered' | 'putOff' | 'discarded' | 'duplicate', OutcomeLabels>
  > & {
    readonly own: { readonly topic: string }
  }
  acknowledged: Acknowledged | null
  /** Room for commit metadata; shrinks when the broker takes less than it should. */
  metadataMaxBytes: number
  /** Whose records count, of a partition that its readers write too; kept beside commits. */
  fences: readonly WriteFence[] = []
  /** Most records from the lowest unfinished one to the newest that is taken up. */
  mostOpen = Infinity
  /** Something changed since the last commit that was sent. */
  uncommitted = false
  /** Its handlers were told that their results count no more, so none may begin any more. */
  cancelled = false
  /** Absolute ms. */
  readonly takenAt: number
  /** Absolute ms of the last settled record, or of the receipt of the first after idleness. */
  lastProgressAt: number
  /** Timestamp (wall time, ms) of the record that was settled last; -1 before the first. */
  settledTimestamp = -1
  /** Records that were handled or discarded. */
  handled = 0
  /** Records whose handling ended without a way to settle them. */
  failed = 0
  stoppedBy: TidemarkError | null = null
  /** Goes on in its place since it was reset. */
  successor: OwnedPartition | null = null
  /** Of the attempts that succeeded, when the one that began last did (by `clock.now()`). */
  witnessedAt = -Infinity
  /** When a record of it was last given up because others succeeded. */
  blamedAt = -Infinity
  /** What failed until then has spent nothing. */
  outageEndedAt = -Infinity
  /** What its handler threw last. */
  lastFailure: unknown
  /** Dead letters that are not acknowledged yet. */
  lettersUnderWay = 0
  /** Failed attempts, in a row, to put a record on the dead-letter topic. */
  deadLetterFailures = 0
  #abandoned: AbortController | null = null

  constructor(
    readonly assigned: AssignedPartition,
    start: PartitionStart,
    { wayInOf, fetching }: OwnedPartitionParts,
    now: number,
    metadataMaxBytes: number,
  ) {
    this.topic = assigned.topic
    this.partition = assigned.partition
    this.epoch = assigned.epoch
    this.startedAt = start.position
    this.leftBehind = start.leftBehind
    this.begun = start.begun ?? []
    this.state = new StateMachine<PartitionState>(`partition ${assigned.topic}-${assigned.partition}`, 'active', moves)
    this.tracker = new OffsetTracker(start.position, start.completed)
    this.acknowledged = start.acknowledged
    const { inflow, lanes } = wayInOf(this)
    this.inflow = inflow
    this.lanes = lanes
    this.gate = new PartitionGate({
      fetch: {
        close: () => fetching.pause(assigned),
        // What was replaced must not disturb its successor.
        open: () => (this.isGone ? undefined : fetching.resume(assigned)),
      },
      start: { close: () => lanes.hold(), open: () => lanes.release() },
      flow: { close: () => lanes.narrow(), open: () => lanes.widen() },
    })
    this.metadataMaxBytes = metadataMaxBytes
    this.takenAt = now
    this.lastProgressAt = now
    const labels = (outcome: string) => ({ topic: assigned.topic, outcome })
    this.labels = {
      own: { topic: assigned.topic },
      handled: labels('handled'),
      deadLettered: labels('dead-lettered'),
      putOff: labels('put-off'),
      discarded: labels('discarded'),
      duplicate: labels('duplicate'),
    }
  }

  /** Records received and not settled. */
  get heldRecords(): number {
    return this.inflow.heldRecords
  }

  get heldBytes(): number {
    return this.inflow.heldBytes
  }

  get isGone(): boolean {
    return this.state.current === 'gone'
  }

  /** Aborts when the partition is gone, so that waits on its behalf end. */
  get signal(): AbortSignal {
    if (this.#abandoned === null) {
      this.#abandoned = new AbortController()
      if (this.isGone) this.#abandoned.abort()
    }
    return this.#abandoned.signal
  }

  /** Resolves when none of its handlers runs, or it is gone. */
  async whenIdleOrGone(): Promise<void> {
    await Promise.race([this.lanes.whenIdle(), whenAborted(this.signal)])
  }

  /** Nothing new of it begins; what runs may finish. */
  close(): void {
    this.inflow.close()
    this.lanes.close()
  }

  /** From now on nothing of this object counts. Returns false when that was so already. */
  leave(): boolean {
    if (this.isGone) return false
    this.state.to('gone')
    this.lanes.close()
    this.inflow.drop()
    this.#abandoned?.abort()
    return true
  }
}
