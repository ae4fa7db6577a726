import { PartitionMap } from '../message/partition-map.js'
import { EndHistory } from './end-history.js'
import type { SeenGroup, SeenPartition, UnseenPartition } from './lag-look.js'
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
    const endsBefore = this.#noteEnds(groups, at)
    return groups.map((seen) => groupLag(seen.group, wallTime, this.#noteCommits(seen, at, endsBefore), seen.unseen))
  }

  /** What is no longer looked at. */
  forget(group: string): void {
    this.#windows.delete(group)
  }

  /** Returns what was known before: of what could not be seen it is to be kept. */
  #noteEnds(groups: readonly SeenGroup[], at: number): PartitionMap<EndHistory> {
    const before = this.#histories
    const seen = new PartitionMap<EndHistory>()
    for (const { partitions } of groups) {
      for (const { topic, partition, end } of partitions) {
        // Many groups may read the same.
        if (seen.get(topic, partition) !== undefined) continue
        const history = before.get(topic, partition) ?? new EndHistory()
        history.note(at, end)
        seen.set(topic, partition, history)
      }
    }
    this.#histories = seen
    return before
  }

  #noteCommits(
    { group, partitions, unseen }: SeenGroup,
    at: number,
    endsBefore: PartitionMap<EndHistory>,
  ): readonly WatchedPartition[] {
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
    if (unseen.length > 0 && before !== undefined) {
      const isHidden = hiddenBy(unseen)
      for (const [topic, partition, window] of before.places()) {
        if (!isHidden(topic, partition)) continue
        windows.set(topic, partition, window)
        const ends = this.#histories.get(topic, partition) ?? endsBefore.get(topic, partition)
        if (ends !== undefined) this.#histories.set(topic, partition, ends)
      }
    }
    return watched
  }
}

/**
 * What is there and could not be looked at: of that what is known is kept, and of nothing else. Something may be unseen for
 * good, and other topics come and go meanwhile.
 */
function hiddenBy(unseen: SeenGroup['unseen']): (topic: string, partition: number) => boolean {
  const there = unseen.filter(({ reason }) => reason !== 'not-there')
  if (there.some(({ topic }) => topic === null)) return () => true
  const topics = new Set<string>()
  const single = new PartitionMap<true>()
  for (const { topic, partition } of there as readonly UnseenPartition[]) {
    if (partition === null) topics.add(topic)
    else single.set(topic, partition, true)
  }
  return (topic, partition) => topics.has(topic) || single.get(topic, partition) === true
}

/** All that the log holds, where the group has not committed in this log. */
function lagOf({ committed, start, end }: SeenPartition): number {
  return committed === null || committed > end ? end - start : end - committed
}
