/** Rows come up to so much later than they happened, as gateways and networks have it. Detect puts them in order again. */
export const disorderSeconds = 600

export interface Arrival {
  /** Data time, Unix seconds: what comes later happened at most `disorderSeconds` before it. */
  readonly at: number
  readonly event: unknown
}

/** What is delivered once: where it was interrupted it goes on, by the name. */
export interface Input {
  readonly name: string
  readonly arrivals: readonly Arrival[]
}
