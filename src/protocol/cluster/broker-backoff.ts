import { exponential } from '../../runtime/backoff.js'

/** Between questions to brokers that did not answer well: soon again at first, and never more than some each second. */
export const brokerBackoff = exponential({ initialMs: 50, maxMs: 1_000 })

/** Between questions for a leader while one is being elected: how long that is over before we know adds to the outage. */
export const electionBackoff = exponential({ initialMs: 50, maxMs: 250 })
