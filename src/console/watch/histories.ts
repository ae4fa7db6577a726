import type { GroupLag } from '../../lag/lag-report.js'
import { partitionKey } from '../../message/topic-partition.js'
import type { GroupSample } from '../model/sight.js'

/** An hour at 5 s a look. */
const mostSamples = 720
const mostLags = 24

/** How groups and their partitions stood at the last looks; it grows with their number, and not with time. */
export class Histories {
  #samples = new Map<string, GroupSample[]>()
  #lags = new Map<string, Map<string, number[]>>()

  note({ group, at, lag, lagMs, partitions }: GroupLag): void {
    const samples = this.#samples.get(group) ?? []
    samples.push({ at, lag, lagMs })
    if (samples.length > mostSamples) samples.shift()
    this.#samples.set(group, samples)
    const before = this.#lags.get(group)
    const now = new Map<string, number[]>()
    for (const one of partitions) {
      const key = partitionKey(one.topic, one.partition)
      const lags = before?.get(key) ?? []
      lags.push(one.lag)
      if (lags.length > mostLags) lags.shift()
      now.set(key, lags)
    }
    this.#lags.set(group, now)
  }

  samplesOf(group: string): readonly GroupSample[] {
    return [...(this.#samples.get(group) ?? [])]
  }

  lagsOf(group: string, key: string): readonly number[] {
    return [...(this.#lags.get(group)?.get(key) ?? [])]
  }

  keepOnly(groups: readonly string[]): void {
    this.#samples = new Map([...this.#samples].filter(([group]) => groups.includes(group)))
    this.#lags = new Map([...this.#lags].filter(([group]) => groups.includes(group)))
  }
}
