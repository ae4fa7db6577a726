import { OrderedRecord } from './ordered-record.js'
import type { PartitionOrder } from './partition-order.js'
import { TimeBuckets } from './time-buckets.js'

/**
 * Records by time, in the order of (timestamp, lane, arrival). While they wait they are numbers in rows, and objects only
 * when they are let go: the garbage collector moves every object that waits for long.
 */
export class BufferedRecords<Value> {
  readonly #buckets: TimeBuckets<number>
  readonly #timestamps: number[] = []
  readonly #offsets: number[] = []
  readonly #bytes: number[] = []
  readonly #partitions: (PartitionOrder | null)[] = []
  readonly #values: (Value | null)[] = []
  /** Rows that may be used again. */
  readonly #free: number[] = []
  /** Those that somebody knows as objects already. */
  readonly #made = new Map<number, OrderedRecord<Value>>()

  constructor(lanes: number) {
    this.#buckets = new TimeBuckets(lanes)
  }

  get size(): number {
    return this.#buckets.size
  }

  /** `null` when there is none. */
  get leastTimestamp(): number | null {
    return this.#buckets.leastTimestamp
  }

  /** One that is ordered by the time it came with. */
  add(partition: PartitionOrder, offset: number, timestamp: number, bytes: number, value: Value): void {
    const row = this.#row()
    this.#timestamps[row] = timestamp
    this.#offsets[row] = offset
    this.#bytes[row] = bytes
    this.#partitions[row] = partition
    this.#values[row] = value
    this.#buckets.push(timestamp, partition.lane, row)
  }

  /** The same object comes out. */
  addMade(record: OrderedRecord<Value>): void {
    const { partition, timestamp } = record
    const row = this.#row()
    this.#timestamps[row] = timestamp
    this.#offsets[row] = record.offset
    this.#bytes[row] = record.bytes
    this.#partitions[row] = partition
    this.#made.set(row, record)
    this.#buckets.push(timestamp, partition.lane, row)
  }

  /** Hands out all that is not later than `timestamp`, in order. */
  release(timestamp: number, give: (record: OrderedRecord<Value>) => void): void {
    this.#buckets.release(timestamp, (rows, order) => {
      for (let at = 0; at < rows.length; at += 1) give(this.#take(rows[order === null ? at : order[at]!]!))
    })
  }

  /** All that is kept, in no order. */
  *records(): Iterable<OrderedRecord<Value>> {
    for (const row of this.#buckets.entries()) yield this.#record(row)
  }

  /** By what time it is ordered; `null` when it is not here. */
  timeOf(partition: PartitionOrder, offset: number): number | null {
    for (const row of this.#buckets.entries()) {
      if (this.#partitions[row] === partition && this.#offsets[row] === offset) return this.#timestamps[row] as number
    }
    return null
  }

  #take(row: number): OrderedRecord<Value> {
    const record = this.#record(row)
    this.#partitions[row] = null
    this.#values[row] = null
    this.#free.push(row)
    if (this.#made.size > 0) this.#made.delete(row)
    return record
  }

  #record(row: number): OrderedRecord<Value> {
    const made = this.#made.size === 0 ? undefined : this.#made.get(row)
    if (made !== undefined) return made
    return new OrderedRecord(
      this.#partitions[row] as PartitionOrder,
      this.#offsets[row] as number,
      this.#timestamps[row] as number,
      this.#bytes[row] as number,
      this.#values[row] as Value,
    )
  }

  #row(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    this.#partitions.push(null)
    this.#values.push(null)
    return this.#partitions.length - 1
  }
}
