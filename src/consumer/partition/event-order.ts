/** How a record stands in the order of event time (option `reorder`). Times are ms since the Unix epoch. */
export interface EventOrder {
  /** The time it is ordered by; another than its own where that could not be. */
  readonly timestamp: number
  /**
   * All records up to this time were handed out before this one, but for late ones; `-Infinity` when nothing was. It never
   * goes back within an epoch.
   */
  readonly watermark: number
  /** The order is promised within an epoch; another begins when a partition comes or goes. */
  readonly epoch: number
  /** It came behind what was handed out already: outside the order. `null` when it is in time. */
  readonly late: { readonly lateByMs: number } | null
  /** It was let go before the watermark had come so far, for lack of room. */
  readonly forced: boolean
}

/** What knows it. */
export interface InOrder {
  eventOrder(): EventOrder
}
