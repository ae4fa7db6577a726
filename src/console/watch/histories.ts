import type { GroupLag } from '../../lag/lag-report.js'
import { PartitionMap } from '../../message/partition-map.js'
import type { GroupSample } from '../model/sight.js'

/** An hour at 5 s a look. */
const mostSamples = 720
const mostLags = 24

/** How groups and their partitions stood at the last looks; it grows with their number, and not with time. */
export class Histories {
  #samples = new Map<string, GroupSample[]>()
  #lags = new Map<string, PartitionMap<readonly number[]>>()

  note({ group, at, lag, lagMs, partitions }: GroupLag): void {
    const samples = this.#samples.get(group) ?? []
    samples.push({ at, lag, lagMs })
    if (samples.length > mostSamples) samples.shift()
    this.#samples.set(group, samples)
    const before = this.#lags.get(group)
    const now = new PartitionMap<readonly number[]>()
    for (const { topic, partition, lag } of partitions) {
      const lags = before?.get(topic, partition) ?? []
      now.set(topic, partition, [...lags.slice(1 - mostLags), lag])
    }
    this.#lags.set(group, now)
  }

  samplesOf(group: string): readonly GroupSample[] {
    return [...(this.#samples.get(group) ?? [])]
  }

  lagsOf(group: string, topic: string, partition: number): readonly number[] {
    return this.#lags.get(group)?.get(topic, partition) ?? []
  }

  keepOnly(groups: ReadonlySet<string>): void {
    this.#samples = new Map([...this.#samples].filter(([group]) => groups.has(group)))
    this.#lags = new Map([...this.#lags].filter(([group]) => groups.has(group)))
  }
}
