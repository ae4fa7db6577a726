import type { Work } from '../partition/work.js'

/**
 * Between decoding and handling: keeps records back for a while, or puts them in another order. Pure: it is told the time
 * and calls nobody. What it holds is counted as received and not settled, and never committed; it goes when the partition
 * is given up or read elsewhere.
 */
export interface Stage {
  /** From so many records on it is given no more, and fetching rests. */
  readonly mostRecords: number
  /** One record. */
  push(work: Work): void
  /** What may be handled now (by `clock.now()`), in the order in which it should be. */
  ready(now: number): readonly Work[]
  /** When something more will be ready without another push; `null` when nothing will. */
  nextAt(): number | null
  drop(): void
}
