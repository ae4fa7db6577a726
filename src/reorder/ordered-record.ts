import type { EventOrder, InOrder } from '../consumer/partition/event-order.js'
import type { PartitionOrder } from './partition-order.js'

/** A record in the buffer, and on its way to its handler. */
export class OrderedRecord<Value> implements InOrder {
  /** `waiting`: in the buffer or ready. */
  state: 'waiting' | 'taken' | 'done' = 'waiting'
  /** It was let go before the watermark had come so far, for lack of room. */
  forced = false
  /** It was handed out before the present order of all began. */
  isOfFormerEpoch = false
  /** When it was handed out: what was not later than this had been before. */
  watermark = -Infinity
  /** In which it was handed out. */
  epoch = 0

  constructor(
    readonly partition: PartitionOrder,
    readonly offset: number,
    /** The time it is ordered by, in ms since the Unix epoch. */
    readonly timestamp: number,
    readonly bytes: number,
    readonly value: Value,
    /** How far it is behind what was let go already; `null` when it is in time. */
    readonly lateByMs: number | null = null,
    /** The time it came with, where it is ordered by another; most are not, and a number costs an object. */
    readonly ownTimestamp: number | null = null,
    /** The greatest time of its partition before it; `null` where nobody asks. */
    readonly maxBefore: number | null = null,
  ) {}

  get originalTimestamp(): number {
    return this.ownTimestamp ?? this.timestamp
  }

  eventOrder(): EventOrder {
    const { timestamp, watermark, epoch, lateByMs, forced } = this
    return { timestamp, watermark, epoch, late: lateByMs === null ? null : { lateByMs }, forced }
  }
}
