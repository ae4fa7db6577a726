import type { FetchedRecords } from '../../driver/consumer.js'
import type { OrderSnapshot } from '../../offsets/order-snapshot.js'
import type { InOrder } from './event-order.js'

/** What of a partition was received and is not settled. */
export interface PartitionInflow {
  readonly heldRecords: number
  readonly heldBytes: number
  /** Of `heldBytes`, those of records that were taken up. */
  readonly takenBytes: number
  /** When the next record that is only kept back may be handled (by `clock.now()`); `null` when none is kept back. */
  readonly keepsBackUntil: number | null
  push(fetched: FetchedRecords): void
  /** Nothing more comes: when everything held is settled, taking throws `error`. */
  endWith(error: Error): void
  /** @param inOrder those records, where an order of event time handed them out */
  settled(records: number, bytes: number, inOrder: readonly InOrder[] | InOrder | null): void
  /** What is held waits for its turn among the records of other partitions. */
  readonly waitsInOrder: boolean
  /** What the next owner must know of the order in which it was handled; `null` when there is none. */
  orderSnapshot(): OrderSnapshot | null
  /** Nothing of it is begun any more; what runs may still be settled. */
  close(): void
  /** From now on nothing of it is handed out, and nothing of it is kept in memory. */
  drop(): void
}

/** What runs in a lane. */
export interface InLane {
  hasPlace: boolean
}

/** Where the work of a partition waits and runs. */
export interface PartitionLanes {
  readonly running: number
  /** Of those that run, how many wait for another attempt or their dead letter, without a place of `concurrency`. */
  readonly resting: number
  readonly queued: number
  /** There is more than before. */
  supplied(): void
  /** Nothing new may start now: what was about to must wait its turn again. */
  readonly isHeld: boolean
  /** Nothing new starts until every hold is released. */
  hold(): void
  release(): void
  /** One thing starts for each `letOne`, until it is widened again. */
  narrow(): void
  widen(): void
  letOne(): void
  /** The same in place of one that ended and was none; rather what has not begun. */
  letAnother(): void
  /** Drops what waits; what runs goes on. */
  close(): void
  whenIdle(): Promise<void>
  /** Resolves to whether something new may start. */
  mayStart(): Promise<boolean>
  /** What runs and waits for something takes no place of `concurrency` meanwhile. Its lane waits for it still. */
  giveBack(task: InLane): void
  /** Resolves to true with a place of `concurrency`, to false when nothing may start any more. */
  takeAgain(task: InLane): Promise<boolean>
  /** Aborts when nothing may start any more. */
  readonly closing: AbortSignal
}

/** How the records of a partition come to its handlers. */
export interface WayIn {
  readonly inflow: PartitionInflow
  readonly lanes: PartitionLanes
}
