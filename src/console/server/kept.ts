import type { Clock } from '../../runtime/clock.js'

/** What costs much is asked for once for all pages, and then kept for a while; what failed is asked for again. */
export function kept<Value>(clock: Clock, forMs: number, ask: () => Promise<Value>): (anew: boolean) => Promise<Value> {
  let asked: Promise<Value> | null = null
  let askedAt = -Infinity
  let isUnderWay = false
  return (anew) => {
    const isFresh = clock.now() - askedAt < forMs && !anew
    if (asked !== null && (isUnderWay || isFresh)) return asked
    ;[askedAt, isUnderWay] = [clock.now(), true]
    const asking = ask().finally(() => (isUnderWay = false))
    asking.catch(() => (askedAt = -Infinity))
    return (asked = asking)
  }
}
