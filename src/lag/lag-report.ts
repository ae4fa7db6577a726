import type { TopicPartition } from '../message/topic-partition.js'
import type { UnseenGroup, UnseenPartition } from './lag-look.js'
import type { LagSample, LagTrend } from './trend.js'

/** One partition of a group. */
export interface PartitionLag extends TopicPartition {
  /** Next offset to read, as the group has committed; `null` when it never has. */
  readonly committed: number | null
  /** Where the log begins. When that is above `committed`, what lies between was deleted before the group had done it. */
  readonly start: number
  readonly end: number
  /** Offsets from `committed` to the end; all of the log when nothing was committed, or only beyond its end. */
  readonly lag: number
  /** How old the next record to read is, ms; `null` when it is older than this monitor, or the group has never committed. */
  readonly lagMs: number | null
  readonly trend: LagTrend
}

/** One group, as seen from outside. Plain data. */
export interface GroupLag {
  readonly group: string
  /** When it was looked at: wall time. */
  readonly at: number
  readonly partitions: readonly PartitionLag[]
  /** What this look could not see, up to the whole group; it is in no figure here. */
  readonly unseen: readonly (UnseenPartition | UnseenGroup)[]
  /** Over all partitions that were seen. */
  readonly lag: number
  /** That of the oldest record; `null` when that of one partition is not known, or nothing was seen. */
  readonly lagMs: number | null
  /** The worst of the partitions; without any `unseen`, or `never-committed` for a group that has none. */
  readonly trend: LagTrend
  /** Until the lag is gone at the pace of the window, ms; `null` when it does not shrink, or is not known. */
  readonly drainMs: number | null
  /** Partitions with lag: so many instances have something to do, and more do not help. */
  readonly instancesThatHelp: number
}

/** A partition with its looks, the newest last. */
export interface WatchedPartition {
  readonly lag: PartitionLag
  readonly window: readonly LagSample[]
}

const worstFirst: readonly LagTrend[] = [
  'past-the-end',
  'stalled',
  'never-committed',
  'rewound',
  'falling-behind',
  'ok',
]

export function groupLag(
  group: string,
  at: number,
  watched: readonly WatchedPartition[],
  unseen: GroupLag['unseen'],
): GroupLag {
  const partitions = watched.map((one) => one.lag)
  const lag = partitions.reduce((sum, one) => sum + one.lag, 0)
  const isHidden = watched.length === 0 && hidesSomething(unseen)
  return {
    group,
    at,
    partitions,
    unseen,
    lag,
    lagMs: partitions.reduce<number | null>(
      (most, { lagMs }) => (most === null || lagMs === null ? null : Math.max(most, lagMs)),
      isHidden ? null : 0,
    ),
    trend: trendOfAll(partitions, isHidden),
    drainMs: isHidden ? null : drainMsOf(lag, watched),
    instancesThatHelp: partitions.filter((one) => one.lag > 0).length,
  }
}

function trendOfAll(partitions: readonly PartitionLag[], isHidden: boolean): LagTrend {
  if (partitions.length === 0) return isHidden ? 'unseen' : 'never-committed'
  const trends = new Set(partitions.map(({ trend }) => trend))
  return worstFirst.find((trend) => trends.has(trend)) ?? 'ok'
}

/** Something that is there could not be looked at. */
export function hidesSomething(unseen: GroupLag['unseen']): boolean {
  return unseen.some(({ reason }) => reason !== 'not-there')
}

function drainMsOf(lag: number, watched: readonly WatchedPartition[]): number | null {
  if (lag === 0) return 0
  let before = 0
  let lastsMs = 0
  for (const { window } of watched) {
    const [first, last] = [window[0] as LagSample, window.at(-1) as LagSample]
    before += first.lag
    lastsMs = Math.max(lastsMs, last.at - first.at)
  }
  return lastsMs === 0 || before <= lag ? null : Math.round((lag * lastsMs) / (before - lag))
}
