import type { TopicPartition } from '../message/topic-partition.js'

/**
 * Why partitions were given up. `lost`, `reset` (the log was cut: it is read from elsewhere) and `forced` commit nothing.
 * More may come.
 */
export type DrainReason = 'revoked' | 'stopped' | 'lost' | 'reset' | 'forced'

/** Offsets from `from` up to, not including, `to`. */
export interface DrainedRange extends TopicPartition {
  readonly from: number
  readonly to: number
}

/** How far a partition that was given up had come. */
export interface DrainedOffset extends TopicPartition {
  /** Next offset the group reads. */
  readonly offset: number
}

/** What became of the work when partitions were given up. */
export interface DrainReport {
  readonly reason: DrainReason
  readonly partitions: readonly TopicPartition[]
  /** Records whose handling ended while draining. */
  readonly drained: number
  /** Records whose handling had begun and had not ended in time. */
  readonly abandoned: number
  /** What the group has stored, by the last commit that was answered; one without an answer may still take it back. */
  readonly committed: readonly DrainedOffset[]
  /**
   * Records that were handled, wholly or in part, and that the next owner reads again, or may read again because a commit
   * that got no answer may yet take the group back.
   */
  readonly possibleDuplicates: readonly DrainedRange[]
  /**
   * Records that were handled beyond the committed offset, because they were not next in order. Their being done stands in
   * the commit's metadata alone, so the next owner passes them over if it is of tidemark, and a client of another kind reads
   * them again.
   */
  readonly doneBeyond: readonly DrainedRange[]
  readonly tookMs: number
}
