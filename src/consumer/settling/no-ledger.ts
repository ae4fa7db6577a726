import { noCounts, type Ledger } from './ledger.js'

const nothing = () => undefined

/** For reading without a group: what is done is known as long as the process lives. */
export function noLedger(): Ledger {
  return {
    begins: nothing,
    started: nothing,
    settled: nothing,
    moved: nothing,
    flush: () => Promise.resolve(),
    beforeMove: () => Promise.resolve(),
    confirmed: () => Promise.resolve(false),
    leastProgress: () => null,
    mayFallBack: () => false,
    counts: noCounts,
    windowMs: null,
    close: nothing,
  }
}
