import { performance } from 'node:perf_hooks'

/** What one cell of a table measured. Missing is what does not apply, or cannot be told of a process of another language. */
export interface Figures {
  readonly perSecond: number
  readonly count: number
  /** Microseconds of CPU time of the client's process for each record. */
  readonly cpuMicros?: number
  /** Milliseconds. */
  readonly p50?: number
  readonly p99?: number
  readonly p999?: number
  /** Records that had not come when it ended, of those that were sent in time. */
  readonly missing?: number
  /** Resident memory and heap at the end of what was measured, MB. */
  readonly rssMb?: number
  readonly heapMb?: number
  /** Of one core. */
  readonly coreShare?: number
  readonly writesPerSecond?: number
}

/** How long a client is measured. */
export interface Span {
  /** At least, of a client that is not slow. */
  readonly ms: number
  /** At least; fewer where there are no more, or the client is slow. */
  readonly records: number
  /** For which a slow client is measured: one with fewer than 50,000 records a second. */
  readonly slowMs: number
}

const slowPerMs = 50

export function isEnough({ ms, records, slowMs }: Span, elapsedMs: number, count: number): boolean {
  const isSlow = count < slowPerMs * elapsedMs
  return isSlow ? elapsedMs >= slowMs : elapsedMs >= ms && count >= records
}

/** From here until it is asked: how much CPU time each of `count` records took, and how many came a second. */
export function stopwatch(): (count: number) => Figures {
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  return (count) => {
    const seconds = (performance.now() - startedAt) / 1_000
    const { user, system } = process.cpuUsage(cpu)
    const { rss, heapUsed } = process.memoryUsage()
    return {
      perSecond: count / seconds,
      count,
      ...(count > 0 ? { cpuMicros: (user + system) / count } : {}),
      rssMb: rss / 1e6,
      heapMb: heapUsed / 1e6,
    }
  }
}

/** Of times in ms, which are sorted in place. */
export function percentiles(times: Float64Array): Pick<Figures, 'p50' | 'p99' | 'p999'> {
  times.sort()
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}
