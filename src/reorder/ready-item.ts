import type { OrderedRecord } from './ordered-record.js'
import type { PartitionOrder } from './partition-order.js'

/** All records up to this time were let go before it. */
export interface Marker {
  through: number
  /** Somebody is to be told that it was reached, and was not. */
  isOpen: boolean
  /** Of this partition alone; `null`: of all. */
  readonly of: PartitionOrder | null
}

export type Item<Value> = OrderedRecord<Value> | Marker
