import type { TopicPartition } from '../message/topic-partition.js'
import { BufferedRecords } from './buffered-records.js'
import { eventTimeOf } from './event-time.js'
import { comparePlaces } from './order-key.js'
import { OrderedRecord } from './ordered-record.js'
import { PartitionOrder } from './partition-order.js'
import { ReadingFlow, type FlowChange } from './reading-flow.js'
import type { Marker } from './ready-item.js'
import { ReadyQueue } from './ready-queue.js'
import { bufferFull, type ReorderCounts, type ReorderLimits } from './reorder-limits.js'
import { Standings } from './standings.js'
import type { OrderSnapshot } from '../offsets/order-snapshot.js'
import type { WatermarkRules } from './watermark-strategy.js'

/** What became of a record. */
export type Pushed = 'buffered' | 'late' | 'replayed' | 'skipped'

/**
 * Orders the records of several partitions by time: lets go what is not later than the *frontier*, which is the least
 * watermark of the active partitions and never goes back. Ties are broken by topic, partition and offset, so the order is
 * one; or, by partition, each has one, and of what may go at the same time all of a partition goes together. Pure: it is told the time, starts no timer and calls nobody but the strategy's functions.
 *
 * | a record that comes                    | becomes |
 * |----------------------------------------|---------|
 * | was done before a restart              | nothing: it is passed |
 * | is not later than the frontier         | late: ready at once, outside the order |
 * | is later                               | buffered until the frontier has come so far |
 *
 * Order is promised within an *epoch*, which ends when a partition comes or goes: what comes may be of any time. All that
 * come and go together make one: the next begins when the buffer is asked for something again, so that an assignment of
 * thousands of partitions does not order anew what is kept for each of them.
 */
export class ReorderBuffer<Value> {
  readonly #rules: WatermarkRules
  readonly #limits: ReorderLimits
  readonly #partitions = new Set<PartitionOrder>()
  /** Those of the next epoch that are not in this one. */
  readonly #joining = new Set<PartitionOrder>()
  /** A partition has gone. */
  #isEpochOver = false
  readonly #ready: ReadyQueue<Value>
  readonly #flow: ReadingFlow
  #standings = new Standings([])
  #buffer = new BufferedRecords<Value>(1)
  #frontier = -Infinity
  /** The least watermark of the active partitions, at the last release. */
  #least = -Infinity
  #bytes = 0
  #now: number
  #wallTime: number
  readonly #counts = { late: 0, forced: 0, replayed: 0, clamped: 0, skipped: 0, idleReleases: 0 }

  constructor(rules: WatermarkRules, limits: ReorderLimits, now: number, wallTime = now) {
    this.#rules = rules
    this.#limits = limits
    this.#now = now
    this.#wallTime = wallTime
    this.#ready = new ReadyQueue(limits.tellsWatermarks, limits.order)
    this.#flow = new ReadingFlow(limits, rules.maxDriftMs)
  }

  /** No record of this time or an earlier one is expected any more; `-Infinity` while nothing is known. */
  get watermark(): number {
    this.#settle()
    return this.#frontier
  }

  get epoch(): number {
    this.#settle()
    return this.#ready.epoch
  }

  /** Records that are kept back. */
  get bufferedRecords(): number {
    this.#settle()
    return this.#buffer.size
  }

  get bufferedBytes(): number {
    this.#settle()
    return this.#bytes
  }

  /** Records that may be taken. */
  get readyRecords(): number {
    this.#settle()
    return this.#ready.size
  }

  get counts(): ReorderCounts {
    return { ...this.#counts }
  }

  /** The partition that holds the frontier back; `null` when none is active. */
  get slowest(): TopicPartition | null {
    this.#settle()
    return this.#standings.holders(1)[0]?.place ?? null
  }

  /** All that hold it back: what comes of them lets others go. */
  get slowestOnes(): readonly PartitionOrder[] {
    this.#settle()
    return this.#standings.holders()
  }

  /** None that is active was behind it at the last release; or it is none of them, and nobody waits for it. */
  isSlowest({ activity, watermark }: PartitionOrder): boolean {
    this.#settle()
    return activity !== 'active' || watermark <= this.#least
  }

  /**
   * A new epoch begins. Reading begins where `reach` says, which calls the strategy.
   *
   * @param restored what the last commit of the partition kept
   */
  assign(place: TopicPartition, restored: OrderSnapshot | null, now = this.#now): PartitionOrder {
    const partition = new PartitionOrder(place, this.#rules.generator, restored, now)
    this.#joining.add(partition)
    return partition
  }

  /** What it has in the buffer, and ready, is forgotten; what was taken may still end. A new epoch begins. */
  revoke(partition: PartitionOrder): void {
    if (this.#joining.delete(partition)) return
    if (this.#partitions.delete(partition)) this.#isEpochOver = true
  }

  /**
   * One record, in the order of its partition's log. What became due with it is ready after the next `release`.
   *
   * @param originalTime `null` when nobody can tell
   * @param bytes what it keeps in memory
   * @throws TidemarkError `invalid-timestamp` or `future-timestamp` where the strategy says `fail`, `reorder-buffer-full`
   */
  push(partition: PartitionOrder, offset: number, originalTime: number | null, value: Value, bytes: number): Pushed {
    this.#settle()
    this.#standings.note(partition)
    partition.reach(offset)
    const time = eventTimeOf(this.#rules, partition, offset, originalTime, this.#wallTime)
    if (time.kind === 'none') {
      partition.reach(offset + 1)
      this.#counts.skipped += 1
      return 'skipped'
    }
    const { kind } = time
    const timestamp = kind === 'own' ? (originalTime as number) : time.timestamp
    // A time that was made up depends on the clock: another one may have been before.
    if (kind !== 'clamped' && partition.wasDone(timestamp, offset)) {
      if (kind === 'own') partition.record(timestamp, this.#now)
      partition.reach(offset + 1)
      this.#counts.replayed += 1
      return 'replayed'
    }
    if (kind === 'clamped') this.#counts.clamped += 1
    const limit = this.#lateLimit(partition)
    const lateByMs = timestamp <= limit ? limit - timestamp : kind === 'late' ? 0 : null
    if (lateByMs === null && kind === 'own') {
      // Code of the user, which may throw: before the record is kept by anything.
      partition.record(timestamp, this.#now)
      this.#buffer.add(partition, offset, timestamp, bytes, value)
    } else {
      const before = partition.maxTimestamp
      const record = new OrderedRecord(
        partition,
        offset,
        timestamp,
        bytes,
        value,
        lateByMs,
        originalTime ?? timestamp,
        before,
      )
      partition.outside(record)
      partition.alive(this.#now)
      if (lateByMs === null) this.#buffer.addMade(record)
      else this.#ready.add(record)
    }
    if (lateByMs === null) {
      this.#bytes += bytes
      partition.buffered += 1
    } else this.#counts.late += 1
    partition.reach(offset + 1)
    this.#bound()
    return lateByMs === null ? 'buffered' : 'late'
  }

  /** Reading has come to `position`, whether there was a record or not. */
  reach(partition: PartitionOrder, position: number): void {
    this.#standings.note(partition)
    partition.reach(position)
  }

  /** It has something that is not pushed yet: it is waited for. */
  fetched(partition: PartitionOrder): void {
    this.#standings.note(partition)
    partition.fetched(this.#now)
  }

  /** What a broker said of its end, and when. */
  reportEnd(partition: PartitionOrder, end: number, at = this.#now): void {
    partition.reportEnd(end, at)
  }

  /** Nothing more of it comes; what there is of it keeps its place in the order. */
  end(partition: PartitionOrder): void {
    this.#standings.note(partition)
    partition.end()
  }

  /** It is not read for a while, for reasons of ours: it cannot become idle by that. */
  notRead(partition: PartitionOrder): void {
    partition.notRead(this.#now)
  }

  /** Time went on: call it before the pushes of an answer. @param now for waits, @param wallTime for what the records tell */
  nowIs(now: number, wallTime = now): void {
    this.#now = Math.max(this.#now, now)
    this.#wallTime = wallTime
  }

  /** Looks who is idle by now, behind the reports of all: who has something to read is not. Call it also when nothing comes. */
  tick(now: number, wallTime = now): void {
    this.#settle()
    this.nowIs(now, wallTime)
    const { maxIdleMs, timeoutMs } = this.#rules.idleness
    for (const partition of this.#partitions) {
      if (partition.becomesIdle(this.#now, maxIdleMs, timeoutMs)) this.#standings.note(partition)
    }
    this.release()
  }

  /** Makes ready what is due. Call it once after the pushes of an answer. */
  release(): void {
    this.#settle()
    if (this.#partitions.size === 0) return
    const { least } = this.#standings
    this.#least = least
    if (least === Infinity) {
      if (this.#buffer.size > 0) this.#counts.idleReleases += 1
      this.#releaseAll()
    } else if (least > this.#frontier) this.#releaseThrough(least, false)
  }

  /** No more will come: lets everything go. */
  endOfInput(): void {
    this.#settle()
    this.#releaseAll()
  }

  /** What is to be handled next, or a marker: all records up to its time were handed out. `null`: nothing may be yet. */
  next(): OrderedRecord<Value> | Marker | null {
    this.#settle()
    return this.#ready.next()
  }

  /** Whoever wants to know has been told that it was reached `through` this time. */
  passed(marker: Marker, through: number): void {
    this.#ready.passed(marker, through)
  }

  /** Records to be handled, in order. @param of only those of one partition, up to the first of another */
  take(most = Infinity, of: PartitionOrder | null = null): readonly OrderedRecord<Value>[] {
    this.#settle()
    return this.#ready.take(most, of)
  }

  /**
   * Lets go a record with all that is not later, before its watermark. False when it is not in the buffer, or something is
   * ready: then it is for those who handle.
   */
  forceOut(partition: PartitionOrder, offset: number): boolean {
    const time = this.readyRecords > 0 ? null : this.#buffer.timeOf(partition, offset)
    if (time !== null) this.#releaseThrough(time, true)
    return time !== null
  }

  /** A record that was taken is done. */
  done(record: OrderedRecord<Value>): void {
    this.#ready.done(record)
  }

  /** What to keep beside the partition's committed offset; `null` when there is nothing to tell. */
  snapshot(partition: PartitionOrder): OrderSnapshot | null {
    return partition.snapshot(this.#joining.has(partition) ? null : this.#ready.thresholdOf(partition))
  }

  /** Something of it has changed that the order does not know of: the next `flow` looks at it. */
  lookAt(partition: PartitionOrder): void {
    this.#standings.note(partition)
  }

  /** Reading should follow what is kept: who is to rest from now on, and who goes on. */
  flow(): FlowChange {
    this.#settle()
    const kept = { ready: this.#ready.size, records: this.#buffer.size, bytes: this.#bytes }
    return this.#flow.change(this.#standings, this.#partitions, kept)
  }

  #lateLimit(partition: PartitionOrder): number {
    if (this.#limits.lateness === 'combined') return this.#frontier
    return Math.max(partition.watermark, this.#frontier)
  }

  #bound(): void {
    const { maxRecords, maxBytes, whenFull } = this.#limits
    while (this.#buffer.size > maxRecords || (this.#bytes > maxBytes && this.#buffer.size > 0)) {
      if (whenFull === 'shut-down') throw bufferFull(this.#buffer.size, this.#bytes, this.slowest)
      this.#releaseThrough(this.#buffer.leastTimestamp as number, true)
    }
  }

  #releaseAll(): void {
    if (this.#buffer.size === 0) return
    let last = this.#frontier
    this.#buffer.release(Number.MAX_SAFE_INTEGER, (record) => {
      last = record.timestamp
      this.#letGo(record, false)
    })
    this.#advanceTo(last)
  }

  #releaseThrough(timestamp: number, forced: boolean): void {
    this.#buffer.release(timestamp, (record) => this.#letGo(record, forced))
    this.#advanceTo(timestamp)
  }

  #letGo(record: OrderedRecord<Value>, forced: boolean): void {
    const { partition } = record
    partition.buffered -= 1
    if (partition.paused) this.#standings.note(partition)
    this.#bytes -= record.bytes
    if (forced) {
      record.forced = true
      this.#counts.forced += 1
    }
    this.#ready.add(record)
  }

  #advanceTo(frontier: number): void {
    this.#frontier = Math.max(this.#frontier, frontier)
    this.#ready.mark(this.#frontier)
  }

  /** Who came and went since is in the order, and out of it. */
  #settle(): void {
    if (this.#isEpochOver || this.#joining.size > 0) this.#newEpoch()
  }

  /** What is kept, also ready, is ordered anew with what comes; what was taken ends as it may. */
  #newEpoch(): void {
    // Before the order is forgotten.
    for (const partition of this.#partitions) partition.newEpoch(this.#ready.thresholdOf(partition))
    const kept = [...this.#buffer.records()].filter(({ partition }) => this.#partitions.has(partition))
    const ready = this.#ready.waiting().filter(({ partition }) => this.#partitions.has(partition))
    this.#ready.restart(this.#ready.taken().filter(({ partition }) => this.#partitions.has(partition)))
    this.#frontier = -Infinity
    this.#least = -Infinity
    for (const partition of this.#joining) this.#partitions.add(partition)
    this.#joining.clear()
    this.#isEpochOver = false
    const places = [...this.#partitions].sort((one, other) => comparePlaces(one.place, other.place))
    for (const [lane, partition] of places.entries()) partition.lane = lane
    this.#standings = new Standings(places)
    this.#buffer = new BufferedRecords(Math.max(1, places.length))
    for (const partition of places) partition.buffered = 0
    this.#bytes = 0
    const inTime = [...kept, ...ready.filter(({ lateByMs }) => lateByMs === null)]
    for (const record of inTime.sort((one, other) => one.offset - other.offset)) {
      this.#buffer.addMade(record)
      record.partition.buffered += 1
      this.#bytes += record.bytes
    }
    for (const record of ready) if (record.lateByMs !== null) this.#ready.add(record)
  }
}
