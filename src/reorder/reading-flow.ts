import type { TopicPartition } from '../message/topic-partition.js'
import type { PartitionOrder } from './partition-order.js'
import type { ReorderLimits } from './reorder-limits.js'
import type { Standings } from './standings.js'

/** Pauses and resumes that follow from what came, since the last call. */
export interface FlowChange {
  readonly pause: readonly TopicPartition[]
  readonly resume: readonly TopicPartition[]
  /** Those for whom something may have changed, these among them. */
  readonly looked: readonly PartitionOrder[]
}

/** What is kept of all. */
export interface Kept {
  readonly ready: number
  readonly records: number
  readonly bytes: number
}

/** Part of a limit at which reading rests, and below which it goes on. */
const restsAt = 0.5
const goesOnBelow = 0.25
/** For their drift all are looked at again when the slowest has gone on by so much of it. */
const driftBetweenLooks = 1 / 8

/**
 * Reading follows what is kept: a partition rests when it is ahead of the slowest by more than the strategy allows, or when
 * much is buffered. Never the slowest one, since it alone can let the others go; unless what is ready waits to be taken,
 * which needs no reading.
 *
 * | what changed                                       | who is looked at |
 * |----------------------------------------------------|------------------|
 * | a partition                                        | it               |
 * | the least watermark went on                        | who stands there now; all, in steps, where the drift is limited |
 * | the least watermark went back: one is idle no more | all              |
 * | so much is kept that a limit counts, or no longer  | all              |
 */
export class ReadingFlow {
  readonly #limits: ReorderLimits
  readonly #maxDriftMs: number
  #least = -Infinity
  /** Where that was when all were looked at. */
  #leastForAll = -Infinity
  #full: readonly boolean[] = []

  constructor(limits: ReorderLimits, maxDriftMs: number) {
    this.#limits = limits
    this.#maxDriftMs = maxDriftMs
  }

  /** @param partitions all of them */
  change(standings: Standings, partitions: Iterable<PartitionOrder>, kept: Kept): FlowChange {
    const { least } = standings
    const [rests, goesOn] = [this.#isFull(kept, restsAt), this.#isFull(kept, goesOnBelow)]
    const looked = this.#toLookAt(standings, partitions, least, [rests.ready, rests.kept, goesOn.ready, goesOn.kept])
    const [pause, resume]: [TopicPartition[], TopicPartition[]] = [[], []]
    for (const partition of looked) {
      const paused = this.#shouldRest(partition, least, partition.paused ? goesOn : rests)
      if (paused === partition.paused) continue
      partition.paused = paused
      ;(paused ? pause : resume).push(partition.place)
    }
    return { pause, resume, looked }
  }

  #isFull({ ready, records, bytes }: Kept, part: number): Full {
    const { maxRecords, maxBytes } = this.#limits
    return { ready: ready > maxRecords * part, kept: records > maxRecords * part || bytes > maxBytes * part }
  }

  #toLookAt(
    standings: Standings,
    partitions: Iterable<PartitionOrder>,
    least: number,
    full: readonly boolean[],
  ): readonly PartitionOrder[] {
    const before = this.#least
    const isOther = full.some((is, at) => is !== this.#full[at])
    this.#full = full
    this.#least = least
    const noted = standings.taken()
    const drifts = least !== before && least - this.#leastForAll >= this.#maxDriftMs * driftBetweenLooks
    if (isOther || least < before || drifts) {
      this.#leastForAll = least
      return [...partitions]
    }
    return least === before ? noted : [...noted, ...standings.holders()]
  }

  #shouldRest(partition: PartitionOrder, least: number, full: Full): boolean {
    if (full.ready) return true
    // An idle one must be read, or it can never come back.
    if (partition.activity !== 'active' || partition.watermark <= least) return false
    const part = partition.paused ? 0.5 : 1
    return (
      partition.watermark > least + this.#maxDriftMs * part ||
      partition.buffered > this.#limits.maxRecordsPerPartition * part ||
      full.kept
    )
  }
}

interface Full {
  readonly ready: boolean
  /** What is buffered. */
  readonly kept: boolean
}
