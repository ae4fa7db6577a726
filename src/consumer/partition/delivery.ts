import type { Settlement } from './settlement.js'
import type { Work } from './work.js'

/** The way of a delivery through its handler: at least once, or inside a transaction. */
export interface Delivery {
  /** Never throws or rejects. A handler that ends synchronously gives a settlement without a promise. */
  deliver(work: Work): Settlement | PromiseLike<Settlement>
}
