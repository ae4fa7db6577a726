import type { TopicPartition } from '../message/topic-partition.js'
import type { UnseenPartition } from './lag-look.js'
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
  /** What this look could not see; it is in no figure here. */
  readonly unseen: readonly UnseenPartition[]
  /** Over all partitions. */
  readonly lag: number
  /** That of the oldest record; `null` when that of one partition is not known. */
  readonly lagMs: number | null
  /** The worst of the partitions; `never-committed` for a group that has none. */
  readonly trend: LagTrend
  /** Until the lag is gone at the pace of the window, ms; `null` when it does not shrink, or is not known yet. */
  readonly drainMs: number | null
  /** Partitions with lag: so many instances have something to do, and more do not help. */
  readonly instancesThatHelp: number
}

/** A partition with its looks, the newest last. */
export interface WatchedPartition extends PartitionLag {
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
  unseen: readonly UnseenPartition[],
): GroupLag {
  const lag = watched.reduce((sum, one) => sum + one.lag, 0)
  const trends = new Set(watched.map(({ trend }) => trend))
  return {
    group,
    at,
    partitions: watched.map(({ window: _, ...partition }) => partition),
    unseen,
    lag,
    lagMs: watched.reduce<number | null>(
      (most, { lagMs }) => (most === null || lagMs === null ? null : Math.max(most, lagMs)),
      0,
    ),
    trend: watched.length === 0 ? 'never-committed' : (worstFirst.find((trend) => trends.has(trend)) ?? 'ok'),
    drainMs: drainMsOf(lag, watched),
    instancesThatHelp: watched.filter((one) => one.lag > 0).length,
  }
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
