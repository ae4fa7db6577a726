import type { FetchedRecords } from '../driver/consumer.js'
import type { Inflow, Supply } from '../consumer/intake/inflow.js'
import type { Mark } from '../consumer/partition/back-pressure.js'
import type { InOrder } from '../consumer/partition/event-order.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import type { Work } from '../consumer/partition/work.js'
import { TidemarkError } from '../errors.js'
import type { OrderSnapshot } from '../offsets/order-snapshot.js'
import { thrownName } from '../runtime/thrown.js'
import { deliveriesOf } from './deliveries.js'
import { HeldRecords, TakenUp } from './held-records.js'
import type { OrderedRecord } from './ordered-record.js'
import type { PartitionOrder } from './partition-order.js'
import type { ReorderBuffer } from './reorder-buffer.js'
import type { WatermarkRules } from './watermark-strategy.js'

/** Some of its records are being handled. */
export interface RunOut {
  readonly kind: 'run'
  readonly of: OrderedInflow
}

export interface Marks {
  readonly high: Mark
  readonly low: Mark
}

/** What a partition needs of the order of all. */
export interface Turns {
  readonly buffer: ReorderBuffer<HeldRecords>
  readonly rules: WatermarkRules
  /** Of what waits as it was fetched, for one partition. */
  readonly marks: () => Marks
  readonly maxUncommittedSpan: number
  readonly isByPartition: boolean
  readonly batchMessages: number | null
  /** Records to be handled before more is taken up. */
  readonly enoughReady: number
  /** Nothing more is taken up. */
  readonly isDraining: boolean
  /** Is the next record its, and does nothing run? */
  isTurnOf(inflow: OrderedInflow): boolean
  /** Its records that come next; from now on they are handled. */
  runOf(inflow: OrderedInflow): readonly OrderedRecord<HeldRecords>[]
  /** All of its run has ended. */
  over(inflow: OrderedInflow): void
  /** Time goes on, before something is taken up: `clock.now()`. */
  tick(): number
  /** It has something that is not taken up yet. */
  waits(inflow: OrderedInflow): void
  /** Something was taken up, or ended. */
  changed(): void
  /** It has given up its place. */
  left(inflow: OrderedInflow): void
  /** A record that is not handled: done before, or without a time. */
  passed(inflow: OrderedInflow, what: 'replayed' | 'skipped'): void
  /** The consumer cannot go on. */
  failed(error: TidemarkError): void
}

/** What an object for a record takes beside its bytes. */
const recordBytes = 400

/**
 * The way in of one partition into an order of all.
 *
 * | it is   | what comes             | its records in the order | until |
 * |---------|------------------------|--------------------------|-------|
 * | open    | is taken up            | get their turn           | an error, or it is given up |
 * | ended   | is dropped: its error is told when the last record before is done | get their turn, and nobody waits for more | it is given up |
 * | left    | is dropped             | are forgotten; what runs may be settled | |
 */
export class OrderedInflow implements Supply {
  readonly partition: OwnedPartition
  readonly order: PartitionOrder
  readonly run: RunOut = { kind: 'run', of: this }
  readonly #inflow: Inflow
  readonly #turns: Turns
  #state: 'open' | 'ended' | 'left' = 'open'
  /** Why nothing more comes. */
  #error: Error | null = null
  /** Handed out; `#settled` of them are done. */
  #run: readonly OrderedRecord<HeldRecords>[] = noRun
  #settled = 0
  /** In the order, and not done. */
  #open = 0
  /** When it left. */
  #snapshot: OrderSnapshot | null = null

  constructor(partition: OwnedPartition, order: PartitionOrder, inflow: Inflow, turns: Turns) {
    this.partition = partition
    this.order = order
    this.#inflow = inflow
    this.#turns = turns
  }

  /** Reading begins here; what the strategy throws at that ends it. Nobody is told yet: the partition has no lanes. */
  begin(): void {
    const { startedAt } = this.partition
    try {
      this.#turns.buffer.reach(this.order, startedAt)
    } catch (thrown) {
      this.#error = this.#failure(thrown, startedAt)
      this.#state = 'ended'
      this.#turns.buffer.end(this.order)
    }
  }

  get heldRecords(): number {
    return this.#inflow.heldRecords
  }

  get heldBytes(): number {
    return this.#inflow.heldBytes
  }

  get takenBytes(): number {
    return this.#inflow.takenBytes
  }

  get keepsBackUntil(): null {
    return null
  }

  get waitsInOrder(): boolean {
    return this.#state !== 'left' && !this.#turns.isTurnOf(this)
  }

  get canTake(): boolean {
    return this.#mayTakeUp || this.#turns.isTurnOf(this) || (this.#state === 'ended' && this.#open === 0)
  }

  /** Everything that was fetched is in the order. */
  get isTakenUp(): boolean {
    return this.#inflow.isTakenUp
  }

  push(fetched: FetchedRecords): void {
    if (this.#state !== 'open') return
    this.#inflow.push(fetched)
    if (!this.isTakenUp) this.#turns.buffer.fetched(this.order)
    this.steer()
    if (!this.isTakenUp) this.#turns.waits(this)
  }

  endWith(error: Error): void {
    this.#error ??= error
    if (this.isTakenUp) this.#end(error)
  }

  take(): readonly Work[] {
    if (this.#mayTakeUp) {
      this.#takeUp()
      // All that was fetched may have one watermark and one batch.
      if (this.#turns.isByPartition && this.#mayTakeUp) return noWork
    }
    this.#run = this.#turns.runOf(this)
    this.#settled = 0
    if (this.#run.length > 0)
      return deliveriesOf(this.#run, this.#worksOf(this.#run), this.partition, this.#turns.batchMessages)
    if (this.#state === 'ended' && this.#open === 0 && this.#error !== null) throw this.#error
    return noWork
  }

  settled(records: number, bytes: number, inOrder: readonly InOrder[] | InOrder): void {
    this.#inflow.settled(records, bytes)
    this.#open -= records
    if (isSome(inOrder)) for (const record of inOrder) this.#done(record)
    else this.#done(inOrder)
    if (this.#settled === this.#run.length) this.#turns.over(this)
  }

  /** Not always the next of the run: of a batch some may be done before those in front of them. */
  #done(record: InOrder): void {
    if (this.#run.length === 0) return
    this.#turns.buffer.done(record as OrderedRecord<HeldRecords>)
    this.#settled += 1
  }

  orderSnapshot(): OrderSnapshot | null {
    // What others do afterwards says nothing of what was left here.
    return this.#state === 'left' ? this.#snapshot : this.#turns.buffer.snapshot(this.order)
  }

  close(): void {
    if (this.#state === 'left') return
    this.#snapshot = this.#turns.buffer.snapshot(this.order)
    this.#state = 'left'
    this.#turns.left(this)
  }

  drop(): void {
    this.close()
    this.#run = noRun
    this.#inflow.drop()
  }

  /** One record may pin many that are done, so that nothing more is read: it goes before its time then. True: it went. */
  letPinnedGo(): boolean {
    if (this.#state !== 'open' || !this.#isOverSpan || !this.#isSlowest) return false
    return this.#turns.buffer.forceOut(this.order, this.partition.tracker.committable)
  }

  /** Its fetches rest while what it has cannot move the others, or waits to be taken up. */
  steer(): void {
    const { gate, lanes } = this.partition
    if (this.#state === 'left') return
    const rests = this.order.paused || this.#isOverSpan || this.#isAboveMark(gate.isClosedBy('reorder'))
    if (rests && !gate.isClosedBy('reorder')) gate.close('reorder')
    else if (!rests && gate.isClosedBy('reorder')) gate.lift('reorder')
    if (this.canTake) lanes.supplied()
  }

  get #mayTakeUp(): boolean {
    if (this.#state !== 'open' || this.order.paused || this.#turns.isDraining || !this.#inflow.canTake) return false
    // What is ahead moves nobody, and what is ready waits for handlers alone: more of it waits as bytes.
    return this.#isSlowest && this.#turns.buffer.readyRecords < this.#turns.enoughReady
  }

  get #isSlowest(): boolean {
    return this.#turns.buffer.isSlowest(this.order)
  }

  get #isOverSpan(): boolean {
    return this.partition.tracker.window > this.#turns.maxUncommittedSpan
  }

  #isAboveMark(isClosed: boolean): boolean {
    const { high, low } = this.#turns.marks()
    const { records, bytes } = isClosed ? low : high
    const { heldRecords, unsettledRecords, heldBytes, takenBytes } = this.#inflow
    return heldRecords - unsettledRecords > records || heldBytes - takenBytes > bytes
  }

  #takeUp(): void {
    const { buffer } = this.#turns
    const taken = new TakenUp()
    try {
      this.#inflow.receive(taken)
    } catch (error) {
      this.#end(error as Error)
      return
    }
    const held = new HeldRecords(taken, this.#turns.tick())
    for (let index = 0; index < held.count; index += 1) if (!this.#enter(held, index)) return
    const { end } = this.partition.tracker
    try {
      buffer.reach(this.order, end)
    } catch (thrown) {
      this.#end(this.#failure(thrown, end))
      return
    }
    if (this.#error !== null && this.isTakenUp) this.#end(this.#error)
    else this.#turns.changed()
  }

  /** False: nothing behind it may be taken up. */
  #enter(held: HeldRecords, index: number): boolean {
    const offset = held.offsetAt(index)
    try {
      const bytes = held.bytesAt(index) + recordBytes
      const pushed = this.#turns.buffer.push(this.order, offset, this.#timeOf(held, index), held, bytes)
      if (pushed === 'replayed' || pushed === 'skipped') this.#pass(held, index, pushed)
      else this.#open += 1
      return true
    } catch (thrown) {
      const error = this.#failure(thrown, offset)
      this.#end(error)
      if (error.code === 'reorder-buffer-full') this.#turns.failed(error)
      return false
    }
  }

  #timeOf(held: HeldRecords, index: number): number | null {
    const { timestampOf } = this.#turns.rules
    if (timestampOf === null) return held.timeAt(this.partition.topic, index)
    const message = this.#inflow.messageOf(held.recordAt(index))
    // What cannot be decoded cannot be asked, and its own time may be of another kind: years ahead of all others in a replay.
    return message === null ? null : given(timestampOf(message))
  }

  #worksOf(run: readonly OrderedRecord<HeldRecords>[]): readonly Work[] {
    return run.map(({ value, offset }) => {
      const index = value.indexOf(offset)
      return this.#inflow.single(value.ticketAt(index), value.recordAt(index), value.bytesAt(index))
    })
  }

  #failure(cause: unknown, offset: number): TidemarkError {
    if (cause instanceof TidemarkError) return cause
    const { topic, partition } = this.partition
    return new TidemarkError(
      'watermark-strategy-failed',
      `offset ${offset} of ${topic}-${partition} cannot be ordered by time: a function of the watermark strategy threw ` +
        `${thrownName(cause)}; mend it`,
      { topic, partition, offset, cause },
    )
  }

  #pass(held: HeldRecords, index: number, what: 'replayed' | 'skipped'): void {
    this.partition.tracker.settle(held.ticketAt(index))
    this.#inflow.settled(1, held.bytesAt(index))
    this.#turns.passed(this, what)
  }

  /** What was good before gets its turn first. */
  #end(error: Error): void {
    this.#error ??= error
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#turns.buffer.end(this.order)
    this.#turns.changed()
  }
}

function isSome(inOrder: readonly InOrder[] | InOrder): inOrder is readonly InOrder[] {
  return Array.isArray(inOrder)
}

/** From a function of the user `null` is no time, as anything else that is none. */
function given(time: number | null): number {
  return time === null ? Number.NaN : time
}

const noRun: readonly OrderedRecord<HeldRecords>[] = Object.freeze([])
const noWork: readonly Work[] = Object.freeze([])
