import { performance } from 'node:perf_hooks'
import { watchGarbage } from './garbage.js'

/** One thing to measure; `run` makes a fresh world for it, of `records` records. */
export interface Bench {
  readonly name: string
  readonly run: (records?: number) => Promise<Measured>
}

export interface Measured {
  readonly name: string
  readonly perSecond: number
  readonly seconds: number
  readonly count: number
  /** CPU time over wall time of this process; 1 = one core full. */
  readonly cores: number
  /** Bytes of objects and of buffers that were allocated for each record. */
  readonly garbage: number
  readonly p50Ms?: number
  readonly p99Ms?: number
}

/** Of what runs in another process. */
export const elsewhere = { cores: Number.NaN, garbage: Number.NaN } as const

/** Runs `work`, which returns how many records it moved, and says how fast that was. */
export async function measure(name: string, work: () => Promise<number>): Promise<Measured> {
  const garbage = watchGarbage()
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const count = await work()
  const seconds = (performance.now() - startedAt) / 1_000
  const used = process.cpuUsage(cpu)
  const cores = (used.user + used.system) / 1e6 / seconds
  return { name, perSecond: count / seconds, seconds, count, cores, garbage: garbage.allocated() / count }
}

/** Keeps `inFlight` calls of `send` out until `total` were made; rejects with the first failure. */
export async function keepInFlight(
  total: number,
  inFlight: number,
  send: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0
  const worker = async () => {
    while (next < total) {
      const index = next
      next += 1
      await send(index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(inFlight, total) }, worker))
  return total
}

/** Percentiles of the time each call takes, beside the rate. */
export async function measureLatency(
  name: string,
  total: number,
  inFlight: number,
  send: (index: number) => Promise<unknown>,
): Promise<Measured> {
  const times = new Float64Array(total)
  const measured = await measure(name, () =>
    keepInFlight(total, inFlight, async (index) => {
      const startedAt = performance.now()
      await send(index)
      times[index] = performance.now() - startedAt
    }),
  )
  times.sort()
  const at = (share: number) => times[Math.min(total - 1, Math.floor(total * share))] ?? 0
  return { ...measured, p50Ms: at(0.5), p99Ms: at(0.99) }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

/** `reached` resolves when `add` was told of `total` records. */
export function countTo(total: number): { add(by: number): void; readonly reached: Promise<void> } {
  let resolve!: () => void
  const reached = new Promise<void>((done) => {
    resolve = done
  })
  let sum = 0
  return {
    add(by) {
      sum += by
      if (sum >= total) resolve()
    },
    reached,
  }
}
