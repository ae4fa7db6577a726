/** One partition of a group at one look. */
export interface LagSample {
  /** By `clock.now()`. */
  readonly at: number
  /** Next offset to read, as the group has committed; `null` when it never has. */
  readonly committed: number | null
  readonly lag: number
}

/** How a partition of a group moves. More may come. */
export type LagTrend =
  /** It keeps up, or too little was seen to say otherwise. */
  | 'ok'
  /** Offsets advance, and the lag never falls. */
  | 'falling-behind'
  /** The offset went back and has not recovered. */
  | 'rewound'
  /** There is lag, and nothing was ever committed. */
  | 'never-committed'
  /** There is lag, and the offset does not move. */
  | 'stalled'
  /** The offset lies beyond the end of the log: the topic was made anew, or its records were lost. */
  | 'past-the-end'
  /** Of a group of which the look saw nothing. */
  | 'unseen'

/**
 * The trend of one partition by the rules that Burrow made known, on looks of ours instead of the commits themselves, so a
 * group that stopped shows as one whose offset does not move. The first rule that fits decides:
 *
 * | the window | trend |
 * |------------|-------|
 * | its last offset lies beyond `end` | `past-the-end` |
 * | its last lag is 0 | `ok` |
 * | the last look has no commit | `never-committed` |
 * | the offset is below one that was seen before | `rewound` |
 * | it has fewer than `windowSize` looks | `ok` |
 * | the lag was 0 at some look | `ok` |
 * | the offset is the same at all looks | `stalled` |
 * | the lag never fell from one look to the next, and rose in all | `falling-behind` |
 * | any other | `ok` |
 */
export function trendOf(window: readonly LagSample[], end: number, windowSize: number): LagTrend {
  const last = window.at(-1)
  if (last?.committed != null && last.committed > end) return 'past-the-end'
  if (last === undefined || last.lag === 0) return 'ok'
  const { committed } = last
  if (committed === null) return 'never-committed'
  if (window.some((sample) => sample.committed !== null && sample.committed > committed)) return 'rewound'
  if (window.length < windowSize || window.some(({ lag }) => lag === 0)) return 'ok'
  if (window.every((sample) => sample.committed === committed)) return 'stalled'
  const neverFell = window.every(({ lag }, index) => index === 0 || lag >= (window[index - 1] as LagSample).lag)
  return neverFell && last.lag > (window[0] as LagSample).lag ? 'falling-behind' : 'ok'
}
