/** What is known of a delivery that failed, from its first failure until it is settled. Times by `clock.now()` but where said. */
export interface Trouble {
  /** Wall time, ms since the Unix epoch. */
  readonly firstFailedAt: number
  lastAt: number
  /** Since when its retries count; an outage ends and they count anew. */
  countsFrom: number
  /** Retries spent since then. */
  retries: number
  /** Attempts in a row that spent nothing. */
  waits: number
  /** Its retries are used up, and nobody knows whether it is to blame. */
  isDoubted: boolean
}
