import type { Random } from './random.js'

/** Delay before the next attempt; `attempt` counts from 1 = after the first failure. */
export type Backoff = (attempt: number, random: Random) => number

export interface ExponentialSettings {
  /** Delay after the first failure, before jitter. */
  readonly initialMs: number
  /** No delay is longer than this. */
  readonly maxMs: number
  /** Growth per attempt. Default 2. */
  readonly factor?: number
}

/**
 * Exponential delays with equal jitter: half of the delay is certain, half is drawn, so that callers that failed together
 * do not come back together and none comes back at once.
 */
export function exponential({ initialMs, maxMs, factor = 2 }: ExponentialSettings): Backoff {
  return (attempt, random) => {
    const ceiling = Math.min(maxMs, initialMs * factor ** Math.max(0, attempt - 1))
    return ceiling / 2 + (ceiling / 2) * random.next()
  }
}

/** Exponential delays of which all is drawn: callers that failed together spread as widely as they can. */
export function fullJitter({ initialMs, maxMs, factor = 2 }: ExponentialSettings): Backoff {
  return (attempt, random) => Math.min(maxMs, initialMs * factor ** Math.max(0, attempt - 1)) * random.next()
}
