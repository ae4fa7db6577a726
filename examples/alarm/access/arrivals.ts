/** Rows come up to so much later than they happened, as gateways and networks have it. Detect puts them in order again. */
export const disorderSeconds = 600

export interface Arrival {
  /** Data time, Unix seconds: what comes later happened at most `disorderSeconds` before it. */
  readonly at: number
  readonly event: unknown
}

/** By a wrong clock, or in milliseconds: one such point would make all others late, and every series silent until then. */
export const isFuture = (seconds: number): boolean => seconds > Date.now() / 1_000 + disorderSeconds

/** What is delivered once: where it was interrupted it goes on, by the name. */
export interface Input {
  readonly name: string
  readonly arrivals: readonly Arrival[]
}
