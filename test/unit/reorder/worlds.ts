import fc from 'fast-check'
import { decodeOrderSnapshot, encodeOrderSnapshot, type OrderSnapshot } from '../../../src/offsets/order-snapshot.js'
import type { OrderedRecord } from '../../../src/reorder/ordered-record.js'
import type { PartitionOrder } from '../../../src/reorder/partition-order.js'
import { ReorderBuffer } from '../../../src/reorder/reorder-buffer.js'
import type { ReorderLimits } from '../../../src/reorder/reorder-limits.js'
import { boundedOutOfOrderness, type WatermarkStrategy } from '../../../src/reorder/watermark-strategy.js'
import { tries } from '../../support/long-profile.js'

export const runs = (full: number): { readonly numRuns: number } => ({ numRuns: tries(15, full) })

const limits: ReorderLimits = {
  order: 'combined',
  lateness: 'combined',
  maxRecords: Infinity,
  maxBytes: Infinity,
  maxRecordsPerPartition: Infinity,
  tellsWatermarks: false,
  whenFull: 'emit-early',
}

/** Without idleness or a guard: what comes out depends on what comes in alone. */
export const bounded = (bound: number): WatermarkStrategy =>
  boundedOutOfOrderness(bound).withFutureGuard(false).withIdleness({ maxIdleMs: Infinity })

/** One record of a log; its offset is its place, or more where the log has gaps. */
export interface Logged {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
}

/** Logs of some partitions whose records are at most so much older than the newest before them. */
export function logsWith(maxBack: number, maxRecords = 24): fc.Arbitrary<readonly (readonly Logged[])[]> {
  const step = fc.tuple(fc.nat(3), fc.nat(maxBack), fc.integer({ min: 1, max: 2 }))
  return fc.array(fc.array(step, { maxLength: maxRecords }), { minLength: 1, maxLength: 4 }).map((logs) =>
    logs.map((steps, partition) => {
      let [max, offset] = [10, 0]
      return steps.map(([forward, back, gap]) => {
        max += forward
        offset += gap
        return { partition, offset, timestamp: Math.max(0, max - back) }
      })
    }),
  )
}

/** Which partition comes next, again and again. */
export const choices = fc.array(fc.nat(3), { minLength: 1, maxLength: 120 })

/** The records of all logs, each log in its order, mixed as the choices say. */
export function mixed(logs: readonly (readonly Logged[])[], turns: readonly number[]): Logged[] {
  const next = logs.map(() => 0)
  const all: Logged[] = []
  const total = logs.reduce((sum, log) => sum + log.length, 0)
  for (let turn = 0; all.length < total; turn += 1) {
    let partition = (turns[turn % turns.length] as number) % logs.length
    while ((next[partition] as number) >= (logs[partition] as readonly Logged[]).length)
      partition = (partition + 1) % logs.length
    all.push((logs[partition] as readonly Logged[])[next[partition] as number] as Logged)
    next[partition] = (next[partition] as number) + 1
  }
  return all
}

export const inOrder = (one: Logged, other: Logged) =>
  one.timestamp - other.timestamp || one.partition - other.partition || one.offset - other.offset

/** A buffer over partitions of one topic, and what came out of it. */
export class World {
  readonly buffer: ReorderBuffer<Logged>
  readonly partitions: PartitionOrder[] = []
  readonly onTime: Logged[] = []
  readonly late: Logged[] = []

  constructor(partitions: number, strategy: WatermarkStrategy, own: Partial<ReorderLimits> = {}, now = 0) {
    this.buffer = new ReorderBuffer(strategy.rules, { ...limits, ...own }, now)
    for (let partition = 0; partition < partitions; partition += 1) this.assign(partition)
  }

  assign(partition: number, position = 0, restored: OrderSnapshot | null = null): void {
    const owned = this.buffer.assign({ topic: 't', partition }, restored)
    this.buffer.reach(owned, position)
    this.partitions[partition] = owned
  }

  /** Reading has come to `position`, and a broker says that the log ends at `end`. */
  report(partition: number, position: number, end: number): void {
    const owned = this.partitions[partition] as PartitionOrder
    this.buffer.reach(owned, position)
    this.buffer.reportEnd(owned, end)
  }

  push(record: Logged): void {
    this.buffer.push(this.partitions[record.partition] as PartitionOrder, record.offset, record.timestamp, record, 1)
  }

  /** Pushes, releases and handles, one record at a time. */
  feed(record: Logged): void {
    this.push(record)
    this.buffer.release()
    this.handleAll()
  }

  handleAll(most = Infinity): OrderedRecord<Logged>[] {
    const taken = [...this.buffer.take(most)]
    for (const record of taken) {
      ;(record.lateByMs === null ? this.onTime : this.late).push(record.value)
      this.buffer.done(record)
    }
    return taken
  }

  /** As it comes back from the commit's metadata. */
  snapshot(partition: number): OrderSnapshot | null {
    const snapshot = this.buffer.snapshot(this.partitions[partition] as PartitionOrder)
    return snapshot === null ? null : decodeOrderSnapshot(encodeOrderSnapshot(snapshot))
  }
}
