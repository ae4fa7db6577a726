import { partitionKey } from '../message/topic-partition.js'
import { EndHistory } from './end-history.js'
import type { SeenGroup, SeenPartition } from './lag-look.js'
import { groupLag, type GroupLag, type WatchedPartition } from './lag-report.js'
import { trendOf, type LagSample } from './trend.js'

/** What looks at groups have seen: the last ones at each partition, of which trends and times are told. */
export class LagWindows {
  readonly #size: number
  /** The last looks at each partition, by group. */
  readonly #windows = new Map<string, Map<string, LagSample[]>>()
  #histories = new Map<string, EndHistory>()

  /** @param size of how many looks a trend is told */
  constructor(size: number) {
    this.#size = size
  }

  /**
   * Takes in one look.
   *
   * @param at when it was, by `clock.now()`
   * @param wallTime the same moment for people
   */
  add(groups: readonly SeenGroup[], at: number, wallTime: number): readonly GroupLag[] {
    this.#noteEnds(groups, at)
    return groups.map((seen) => groupLag(seen.group, wallTime, this.#noteCommits(seen, at), seen.unseen))
  }

  /** What is no longer looked at. */
  forget(group: string): void {
    this.#windows.delete(group)
  }

  /** Of partitions that could not be seen what is known is kept. */
  #noteEnds(groups: readonly SeenGroup[], at: number): void {
    const before = this.#histories
    const seen = new Map<string, EndHistory>()
    for (const { partitions } of groups) {
      for (const { topic, partition, end } of partitions) {
        const key = partitionKey(topic, partition)
        if (seen.has(key)) continue
        const history = before.get(key) ?? new EndHistory()
        history.note(at, end)
        seen.set(key, history)
      }
    }
    const sawAll = groups.every(({ unseen }) => unseen.length === 0)
    this.#histories = sawAll ? seen : new Map([...before, ...seen])
  }

  #noteCommits({ group, partitions, unseen }: SeenGroup, at: number): readonly WatchedPartition[] {
    const before = this.#windows.get(group)
    const windows = new Map(unseen.length === 0 ? [] : before)
    this.#windows.set(group, windows)
    return partitions.map((seen) => {
      const key = partitionKey(seen.topic, seen.partition)
      const { committed, start, end } = seen
      const lag = lagOf(seen)
      const window = before?.get(key) ?? []
      window.push({ at, committed, lag })
      if (window.length > this.#size) window.shift()
      windows.set(key, window)
      const isPlaced = committed !== null && committed <= end
      const age = isPlaced ? (this.#histories.get(key)?.ageOf(Math.max(committed, start), at) ?? null) : null
      return { ...seen, lag, lagMs: lag === 0 ? 0 : age, trend: trendOf(window, end, this.#size), window }
    })
  }
}

/** All that the log holds, where the group has not committed in this log. */
function lagOf({ committed, start, end }: SeenPartition): number {
  return committed === null || committed > end ? end - start : end - committed
}
