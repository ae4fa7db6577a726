import { PartitionMap } from '../message/partition-map.js'
import { EndHistory } from './end-history.js'
import type { SeenGroup, SeenPartition } from './lag-look.js'
import { groupLag, type GroupLag, type WatchedPartition } from './lag-report.js'
import { trendOf, type LagSample } from './trend.js'

/** What looks at groups have seen: the last ones at each partition, of which trends and times are told. */
export class LagWindows {
  readonly #size: number
  /** The last looks at each partition, by group. */
  readonly #windows = new Map<string, PartitionMap<LagSample[]>>()
  #histories = new PartitionMap<EndHistory>()

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
    const reports = groups.map((seen) => groupLag(seen.group, wallTime, this.#noteCommits(seen, at), seen.unseen))
    this.#forgetEnds()
    return reports
  }

  /** What is no longer looked at. */
  forget(group: string): void {
    this.#windows.delete(group)
  }

  #noteEnds(groups: readonly SeenGroup[], at: number): void {
    // Many groups may read the same.
    const isNoted = new PartitionMap<true>()
    for (const { partitions } of groups) {
      for (const { topic, partition, end } of partitions) {
        if (isNoted.get(topic, partition)) continue
        isNoted.set(topic, partition, true)
        const history = this.#histories.get(topic, partition) ?? new EndHistory()
        history.note(at, end)
        this.#histories.set(topic, partition, history)
      }
    }
  }

  /** Of logs at which no group has a window any more. */
  #forgetEnds(): void {
    const kept = new PartitionMap<EndHistory>()
    for (const windows of this.#windows.values()) {
      for (const [topic, partition] of windows.places()) {
        const history = this.#histories.get(topic, partition)
        if (history !== undefined) kept.set(topic, partition, history)
      }
    }
    this.#histories = kept
  }

  #noteCommits({ group, partitions, unseen }: SeenGroup, at: number): readonly WatchedPartition[] {
    const before = this.#windows.get(group)
    const windows = new PartitionMap<LagSample[]>()
    this.#windows.set(group, windows)
    const watched = partitions.map((seen): WatchedPartition => {
      const { topic, partition, committed, start, end } = seen
      const lag = lagOf(seen)
      const window = before?.get(topic, partition) ?? []
      window.push({ at, committed, lag })
      if (window.length > this.#size) window.shift()
      windows.set(topic, partition, window)
      const isPlaced = committed !== null && committed <= end
      const age = isPlaced
        ? (this.#histories.get(topic, partition)?.ageOf(Math.max(committed, start), at) ?? null)
        : null
      const trend = trendOf(window, end, this.#size)
      return { lag: { topic, partition, committed, start, end, lag, lagMs: lag === 0 ? 0 : age, trend }, window }
    })
    if (unseen.length > 0 && before !== undefined) keepHidden(windows, before, unseen)
    return watched
  }
}

/**
 * Of what is there and could not be looked at now what is known is kept, and of nothing else: something may be unseen for
 * good, and other topics come and go meanwhile.
 */
function keepHidden(
  windows: PartitionMap<LagSample[]>,
  before: PartitionMap<LagSample[]>,
  unseen: SeenGroup['unseen'],
): void {
  /** Of a topic its partitions, or `null` for all. */
  const hidden = new Map<string | null, Set<number> | null>()
  for (const { topic, partition, reason } of unseen) {
    if (reason === 'not-there') continue
    const partitions = hidden.get(topic)
    if (partition === null) hidden.set(topic, null)
    else if (partitions === undefined) hidden.set(topic, new Set([partition]))
    else partitions?.add(partition)
  }
  const isHidden = (topic: string, partition: number) => hidden.get(topic)?.has(partition) ?? hidden.has(topic)
  for (const [topic, partition, window] of before.places()) {
    if (hidden.has(null) || isHidden(topic, partition)) windows.set(topic, partition, window)
  }
}

/** All that the log holds, where the group has not committed in this log. */
function lagOf({ committed, start, end }: SeenPartition): number {
  return committed === null || committed > end ? end - start : end - committed
}
