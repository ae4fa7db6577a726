/** What is known of a delivery that failed, from its first failure until it is settled. Times by `clock.now()` but where said. */
export interface Trouble {
  /** Wall time, ms since the Unix epoch. */
  readonly firstFailedAt: number
  lastAt: number
  /** Of the first failure that counts; `null` before it. An outage ends, and failures count anew. */
  countsFrom: number | null
  /** The same, of a record by itself, and not with the batch that it was part of. */
  aloneFrom: number | null
  /** Retries spent since then. */
  retries: number
  /** Attempts in a row that spent nothing. */
  waits: number
  /** Its last failure before the end of an outage, in which it failed too; `null` when there was none. */
  failedInOutageAt: number | null
  /** Its retries are used up, and nobody knows whether it is to blame. */
  isDoubted: boolean
}

/** As one that has not failed yet, but for the outage it was in. */
export function withAllRetries(trouble: Trouble): void {
  trouble.retries = 0
  trouble.countsFrom = null
  trouble.aloneFrom = null
  trouble.isDoubted = false
}
