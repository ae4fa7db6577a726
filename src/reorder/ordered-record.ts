import type { PartitionOrder } from './partition-order.js'

/** A record in the buffer, and on its way to its handler. */
export class OrderedRecord<Value> {
  /** `waiting`: in the buffer or ready. `dropped`: its partition was given up before it was taken. */
  state: 'waiting' | 'taken' | 'done' | 'dropped' = 'waiting'
  /** It was let go before the watermark had come so far, for lack of room. */
  forced = false

  constructor(
    readonly partition: PartitionOrder,
    readonly offset: number,
    /** The time it is ordered by, in ms since the Unix epoch. */
    readonly timestamp: number,
    /** The time it came with. */
    readonly originalTimestamp: number,
    readonly bytes: number,
    readonly value: Value,
    /** How far it is behind what was let go already; `null` when it is in time. */
    readonly lateByMs: number | null,
    /** The greatest time of its partition before it. */
    readonly maxBefore: number,
  ) {}
}
