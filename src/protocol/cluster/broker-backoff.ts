import { exponential } from '../../runtime/backoff.js'

/** Between questions to brokers that did not answer well: soon again at first, and never more than some each second. */
export const brokerBackoff = exponential({ initialMs: 50, maxMs: 1_000 })
