import type { Handling } from '../consumer/handling/at-least-once.js'
import type { Inflow, Supply } from '../consumer/intake/inflow.js'
import type { Ordering, OrderingFactory, OrderingParts } from '../consumer/options/ordering.js'
import type { Mark } from '../consumer/partition/back-pressure.js'
import type { OrderFacts } from '../consumer/partition/order-facts.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import type { TidemarkError } from '../errors.js'
import { StateError } from '../errors.js'
import { orderOf, type OrderSnapshot } from '../offsets/order-snapshot.js'
import type { Timer } from '../runtime/clock.js'
import { deferred } from '../runtime/deferred.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import { tell } from '../telemetry/tell.js'
import { lateAside } from './late-records.js'
import type { HeldRecords } from './held-records.js'
import { finite, HeldWatch } from './held-watch.js'
import { OrderGauges } from './order-gauges.js'
import { OrderedInflow, type Marks, type RunOut, type Turns } from './ordered-inflow.js'
import type { OrderedRecord } from './ordered-record.js'
import type { PartitionOrder } from './partition-order.js'
import type { Marker } from './ready-item.js'
import { ReorderBuffer } from './reorder-buffer.js'
import type { ResolvedReorder } from './reorder-options.js'
import { WatermarkCalls } from './watermark-calls.js'
import type { WatermarkRules } from './watermark-strategy.js'

/** A watermark is being told. */
interface Telling {
  readonly kind: 'telling'
  /** It is waited for no longer. */
  readonly ends: AbortController
}

type Out = { readonly kind: 'nothing' | 'closed' } | Telling | RunOut

const nothing: Out = { kind: 'nothing' }
const closed: Out = { kind: 'closed' }

/** To be handled, before more is taken up: objects that wait for long are a burden to the garbage collector. */
const enoughInTurns = 512
/** Where each partition has one batch of what is due, in batches: fewer would make them short. */
const enoughBatches = 4
/** Most records handed out at once. */
const longestRun = 256
/** Handing out many short runs, it is not worth while to look at all partitions behind each. */
const runsBetweenLooks = 64
/** Idleness is looked for so many times within the time that it takes, but not more often than this, and not more seldom. */
const looks = 4
const [leastTickMs, mostTickMs] = [20, 250]
/** All partitions are looked at for it no more often than that, however often something is taken up; where they are many, more seldom. */
const leastLookMs = 10
const partitionsInMs = 50
/** Brokers that have the log tell its end more often. */
const oldEndMs = 10_000

/**
 * Hands the records of all partitions of a consumer to its handler in the order of event time, one after the other, retries
 * included. Next in order are some records of one partition; that partition's only lane takes them. Ordered by partition, these
 * are all of it that are due.
 *
 * | out      | what happens                                   | becomes  |
 * |----------|------------------------------------------------|----------|
 * | nothing  | the partition of the next record takes its run | run      |
 * | nothing  | a watermark comes next, and is to be told      | telling  |
 * | run      | all of it is settled                           | nothing  |
 * | run      | its partition has left, and runs nothing       | nothing  |
 * | telling  | its callback has ended well                    | nothing, and the watermark is passed |
 * | telling  | what it needs is not available                 | telling: `watermark-calls.ts` says what comes of that |
 * | telling  | it was made in vain, and the order began anew  | nothing |
 * | telling  | it threw, or took too long                     | closed: the consumer fails |
 * | any      | the consumer has ended                         | closed   |
 */
class Sequencer implements Ordering, Turns {
  readonly buffer: ReorderBuffer<HeldRecords>
  readonly rules: WatermarkRules
  readonly maxUncommittedSpan: number
  readonly batchMessages: number | null
  readonly isByPartition: boolean
  readonly enoughReady: number
  readonly #options: ResolvedReorder
  readonly #parts: OrderingParts
  readonly #inflows = new Map<PartitionOrder, OrderedInflow>()
  readonly #gauges: OrderGauges
  readonly #watch: HeldWatch
  /** `null`: nobody is told of watermarks. */
  readonly #calls: WatermarkCalls | null
  #out: Out = nothing
  /** Whose record comes next, when nothing is out. */
  #turn: OrderedInflow | null = null
  /** They are asked for often. */
  #marks: Marks & { readonly shares: number }
  #runs = 0
  /** They may have records that are not taken up: they are ahead, then. */
  readonly #waiting = new Set<OrderedInflow>()
  /** Of what is ready, at the last look: nothing, less than is enough, or enough. */
  #readiness: 0 | 1 | 2 = 0
  #timer: Timer | null = null
  #drained: (() => void) | null = null
  #isChangeDue = false
  #lookedAt = -Infinity

  constructor(options: ResolvedReorder, parts: OrderingParts) {
    const { order, lateness, buffer, watermark, onWatermark } = options
    const { clock } = parts
    this.#options = options
    this.#parts = parts
    this.rules = watermark.rules
    this.maxUncommittedSpan = buffer.maxUncommittedSpan
    this.batchMessages = parts.batchMessages
    this.isByPartition = order === 'partition'
    const together = this.isByPartition ? enoughBatches * (parts.batchMessages ?? 0) : 0
    this.enoughReady = Math.max(enoughInTurns, together)
    this.#marks = { ...parts.marks, shares: 1 }
    const limits = { ...buffer, order, lateness, tellsWatermarks: onWatermark !== undefined }
    this.buffer = new ReorderBuffer(this.rules, limits, clock.now(), clock.wallTime())
    this.#gauges = new OrderGauges(this.buffer, options.late.policy, parts)
    this.#watch = new HeldWatch(this.buffer, parts)
    const first = () => this.#inflows.values().next().value?.partition ?? null
    const epoch = () => this.buffer.epoch
    this.#calls = onWatermark === undefined ? null : new WatermarkCalls(onWatermark, parts, { first, epoch })
  }

  supplyOf(partition: OwnedPartition, inflow: Inflow): Supply {
    const { topic, partition: number } = partition
    const now = this.#parts.clock.now()
    const order = this.buffer.assign({ topic, partition: number }, this.#restored(partition), now)
    const ordered = new OrderedInflow(partition, order, inflow, this)
    this.#inflows.set(order, ordered)
    ordered.begin()
    // Another order begins.
    this.#turn = null
    // The partition is being made: it has no lanes yet.
    this.#changedSoon()
    return ordered
  }

  around(handling: Handling): Handling {
    return lateAside(handling, this.#options.late)
  }

  facts(): OrderFacts {
    const { buffer } = this
    const { late, forced, replayed, clamped, skipped } = buffer.counts
    return {
      watermark: finite(buffer.watermark),
      epoch: buffer.epoch,
      buffered: buffer.bufferedRecords,
      bufferedBytes: buffer.bufferedBytes,
      ready: buffer.readyRecords,
      heldBy: buffer.bufferedRecords > 0 ? buffer.slowest : null,
      ...{ late, forced, replayed, clamped, skipped },
    }
  }

  async drain(deadline: number): Promise<void> {
    if (this.#options.onShutdown === 'discard' || this.#out.kind === 'closed') return
    const { promise, resolve } = deferred<void>()
    const before = this.#drained
    this.#drained = () => {
      before?.()
      resolve()
    }
    this.buffer.endOfInput()
    this.changed()
    await withinDeadline(promise, { clock: this.#parts.clock, deadline, onLate: () => undefined })
  }

  close(): void {
    const out = this.#out
    this.#out = closed
    this.#turn = null
    this.#timer?.cancel()
    this.#timer = null
    this.#drained?.()
    if (out.kind === 'telling') out.ends.abort(ended())
  }

  get isDraining(): boolean {
    return this.#drained !== null
  }

  marks(): Marks {
    const shares = Math.max(1, this.#inflows.size)
    if (this.#marks.shares !== shares) {
      const { high, low } = this.#parts.marks
      this.#marks = { shares, high: shareOf(high, shares), low: shareOf(low, shares) }
    }
    return this.#marks
  }

  isTurnOf(inflow: OrderedInflow): boolean {
    return this.#turn === inflow
  }

  runOf(inflow: OrderedInflow): readonly OrderedRecord<HeldRecords>[] {
    if (!this.isTurnOf(inflow)) return []
    const run = this.buffer.take(Math.max(longestRun, this.batchMessages ?? 0), inflow.order)
    this.#turn = null
    if (run.length === 0) return run
    this.#out = inflow.run
    this.#gauges.handedOut(run)
    return run
  }

  over(inflow: OrderedInflow): void {
    if (this.#out.kind !== 'run' || this.#out.of !== inflow) return
    this.#out = nothing
    this.#next()
    // Where so much was ready, or not done, that partitions rested, they go on.
    this.#runs += 1
    this.buffer.lookAt(inflow.order)
    if (this.buffer.readyRecords === 0 || this.#runs % runsBetweenLooks === 0) this.#steer()
  }

  waits(inflow: OrderedInflow): void {
    this.#waiting.add(inflow)
    this.#arm()
  }

  tick(): number {
    const { clock } = this.#parts
    const now = clock.now()
    if (this.isDraining) return now
    this.buffer.nowIs(now, clock.wallTime())
    if (now - this.#lookedAt < Math.max(leastLookMs, this.#inflows.size / partitionsInMs)) return now
    this.#lookedAt = now
    // Before anybody is found idle: what came meanwhile and waits to be taken up is something to read.
    for (const inflow of this.#inflows.values()) {
      this.#report(inflow)
      this.buffer.lookAt(inflow.order)
    }
    this.buffer.tick(now, clock.wallTime())
    return now
  }

  changed(): void {
    if (this.#out.kind === 'closed') return
    if (!this.isDraining) this.buffer.release()
    this.#steer()
    this.#gauges.look()
    this.#next()
    this.#arm()
  }

  left(inflow: OrderedInflow): void {
    // Another order begins.
    this.#turn = null
    this.#inflows.delete(inflow.order)
    this.#waiting.delete(inflow)
    this.buffer.revoke(inflow.order)
    const { partition } = inflow
    // Its handler may still run, also when it is lost: nothing is handled beside it.
    if (this.#out.kind === 'run' && this.#out.of === inflow) {
      void partition.lanes.whenIdle().then(() => this.over(inflow)) // never rejects
    }
    this.#changedSoon()
  }

  passed({ partition }: OrderedInflow, what: 'replayed' | 'skipped'): void {
    partition.lastProgressAt = this.#parts.clock.now()
    if (what === 'replayed') return
    this.#parts.telemetry.metrics.count('tidemark_consumer_records_total', partition.labels.discarded)
  }

  failed(error: TidemarkError): void {
    this.close()
    this.#parts.onFailed(error)
  }

  /** Many partitions come and go at once: they are looked at together. */
  #changedSoon(): void {
    if (this.#isChangeDue) return
    this.#isChangeDue = true
    this.#parts.clock.defer(() => {
      this.#isChangeDue = false
      this.changed()
    })
  }

  #restored({ topic, partition, startedAt, acknowledged }: OwnedPartition): OrderSnapshot | null {
    const order = orderOf(acknowledged?.metadata ?? null)
    if (order === 'foreign') {
      tell(this.#parts.telemetry, { kind: 'order-unknown', topic, partition, offset: startedAt })
    }
    return typeof order === 'string' ? null : order
  }

  #next(): void {
    this.#turn = null
    if (this.#out.kind !== 'nothing') return
    const next = this.buffer.next()
    if (next === null) this.#drained?.()
    else if ('through' in next) this.#tellWatermark(next)
    else {
      this.#turn = this.#inflows.get(next.partition) ?? null
      this.#turn?.partition.lanes.supplied()
    }
  }

  #tellWatermark(marker: Marker): void {
    const { through } = marker
    const ends = new AbortController()
    this.#out = { kind: 'telling', ends }
    void this.#calls?.tell(through, this.buffer.epoch, ends).then((told) => {
      if (this.#out.kind !== 'telling') return
      if (typeof told !== 'string') return this.failed(told)
      this.#out = nothing
      if (told === 'told') this.buffer.passed(marker, through)
      this.#next()
    }) // never rejects
  }

  /** Those for whom something may have changed: there may be thousands. */
  #steer(): void {
    const { looked } = this.buffer.flow()
    const { readyRecords } = this.buffer
    const before = this.#readiness
    this.#readiness = readyRecords === 0 ? 0 : readyRecords < this.enoughReady ? 1 : 2
    let hasForced = this.#steerSome(looked)
    // They take up more when less is ready, and what pins too many goes when nothing is.
    if (this.#readiness < before && this.#steerSome(this.buffer.slowestOnes)) hasForced = true
    if (hasForced) this.#next()
  }

  /** True: a record went before its time. */
  #steerSome(orders: readonly PartitionOrder[]): boolean {
    let hasForced = false
    for (const order of orders) {
      const inflow = this.#inflows.get(order)
      if (inflow === undefined) continue
      if (inflow.letPinnedGo()) hasForced = true
      inflow.steer()
      if (inflow.isTakenUp) this.#waiting.delete(inflow)
    }
    return hasForced
  }

  #report(inflow: OrderedInflow): void {
    const { order, partition, isTakenUp } = inflow
    const { clock, endOf, isDeleted } = this.#parts
    const end = endOf(partition)
    const isOld = end === null || clock.now() - end.at > oldEndMs
    // What was deleted ends where it was read to: no broker will tell any more.
    if (isOld && isTakenUp && isDeleted(partition.topic)) this.buffer.reportEnd(order, order.position, clock.now())
    // What does not read, or has not come so far, cannot tell that there is nothing.
    else if (!isTakenUp || end === null || !partition.gate.isOpen('fetch')) this.buffer.notRead(order)
    // What an open transaction has written is something to read: it becomes visible in its time.
    else this.buffer.reportEnd(order, end.stored ?? end.offset, end.at)
  }

  /** While something is kept back, somebody must see that nothing comes. */
  #arm(): void {
    if (this.#out.kind === 'closed') return
    const isNeeded = this.#isSomethingKept && !this.isDraining
    if (!isNeeded) this.#watch.look(this.#isSomethingKept)
    if (!isNeeded || this.#timer !== null) return
    const { maxIdleMs, timeoutMs } = this.rules.idleness
    const within = Math.min(maxIdleMs, timeoutMs ?? Infinity) / looks
    const delayMs = Math.min(mostTickMs, Math.max(leastTickMs, within))
    this.#timer = this.#parts.clock.setTimer(delayMs, () => {
      this.#timer = null
      this.tick()
      this.changed()
      this.#watch.look(this.#isSomethingKept)
    })
  }

  get #isSomethingKept(): boolean {
    return this.buffer.bufferedRecords > 0 || this.#waiting.size > 0
  }
}

/** One order of event time for the records of all partitions of a consumer. */
export function orderedBy(options: ResolvedReorder): OrderingFactory {
  return (parts) => new Sequencer(options, parts)
}

function ended(): StateError {
  return new StateError('closed', 'the consumer has ended: nobody waits for what onWatermark does')
}

function shareOf({ records, bytes }: Mark, shares: number): Mark {
  return { records: records / shares, bytes: bytes / shares }
}
