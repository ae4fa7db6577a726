import type { CommitOutcome } from '../../driver/consumer.js'
import { partitionKey } from '../../message/topic-partition.js'
import { commonProgress, progressOf, type Progress } from '../../offsets/progress.js'
import type { Acknowledged, OwnedPartition } from '../partition/owned-partition.js'

/**
 * What may still happen to the group's offset of one partition without our doing.
 *
 *            sent             answered                     no answer
 * settled    → out            -                            -
 * out        -                → settled                    → in doubt
 * in doubt   → in doubt, out  → in doubt, or, if sent at   → in doubt, the lower of both,
 *                               `endsAt` or later, or in     `endsAt` and generation anew
 *                               a later generation: settled
 */
interface Standing {
  /** Of the hand-over: who is given the partition again goes on from what the group has then. */
  readonly epoch: number
  /** Of the last commit: that of a later one is taken for no straggler of this. */
  generation: string
  out: Sent | null
  doubt: Doubt | null
}

/** A commit on its way. */
export interface SentCommit {
  readonly partition: OwnedPartition
  readonly state: Acknowledged
}

interface Sent {
  readonly progress: Progress
  /** The member and generation that it was sent in, or in a later one. */
  readonly generation: string
}

interface Doubt {
  /** What is done by each of the commits without an answer. */
  readonly least: Progress
  readonly endsAt: number
  /** The last one that one of them may have been sent in; the coordinator refuses them in every later one. */
  readonly generation: string
}

/**
 * For how long a request that was given up may reach the broker after all. Its socket is destroyed, but bytes that had
 * left stay on their way: a system goes on sending for a socket that is closed for minutes (Linux: about two by default,
 * fifteen at the longest), and a broker carries out what it has received also when it was stopped for a while. One that
 * is stopped longer than its session loses the group to another broker and is refused.
 */
const stragglerLifeMs = 15 * 60_000

/**
 * Commits that got no answer. The coordinator takes offsets in the order in which they arrive, backwards too, so a
 * straggler that lands after a newer commit takes the group back. No answer to a newer commit ends the doubt, as that one
 * went over another socket; nor does reading the offset back, as the straggler may come after that. What ends it for good
 * is a later generation, once it has taken a commit: a partition that is kept through a rebalance goes through several.
 * Until then the group may be anywhere between the lowest commit in doubt and the newest.
 */
export class CommitDoubts {
  readonly #generation: () => string
  readonly #ofPartition = new WeakMap<OwnedPartition, Standing>()
  /** By place: a seek makes a new `OwnedPartition`, and the stragglers are those of the old one. */
  readonly #latest = new Map<string, Standing>()

  /** @param generation names the member and its generation now; empty while it has none */
  constructor(generation: () => string) {
    this.#generation = generation
  }

  sent(commits: readonly SentCommit[]): void {
    const generation = this.#generation()
    for (const { partition, state } of commits) {
      const standing = this.#standing(partition)
      standing.generation = generation
      standing.out = { progress: progressOf(state), generation }
    }
  }

  /** @param sentAt by `clock.now()` */
  ended(commits: readonly SentCommit[], outcomes: readonly CommitOutcome[], sentAt: number, now: number): void {
    const generation = this.#generation()
    for (const [index, { partition }] of commits.entries()) {
      const standing = this.#standing(partition)
      const { out, doubt } = standing
      const outcome = outcomes[index]
      standing.out = null
      if (outcome === 'in-doubt' && out !== null) {
        const least = doubt === null ? out.progress : commonProgress(doubt.least, out.progress)
        standing.doubt = { least, endsAt: now + stragglerLifeMs, generation }
      } else if (outcome === 'committed' && doubt !== null) {
        const isOld = sentAt >= doubt.endsAt
        if (isOld || (out !== null && isLater(out.generation, doubt.generation))) standing.doubt = null
      }
    }
  }

  isOpen(partition: OwnedPartition): boolean {
    return this.#standing(partition).doubt !== null
  }

  /** What the next owner finds done at the least; `null` when that may be nothing. */
  leastProgress(partition: OwnedPartition): Progress | null {
    if (partition.acknowledged === null) return null
    const { out, doubt } = this.#standing(partition)
    let least = progressOf(partition.acknowledged)
    if (out !== null) least = commonProgress(least, out.progress)
    if (doubt !== null) least = commonProgress(least, doubt.least)
    return least
  }

  #standing(partition: OwnedPartition): Standing {
    const known = this.#ofPartition.get(partition)
    if (known !== undefined) return known
    const key = partitionKey(partition.topic, partition.partition)
    const { epoch } = partition
    const generation = this.#generation()
    const latest = this.#latest.get(key)
    const isSame = latest !== undefined && (latest.epoch === epoch || latest.generation === generation)
    const standing = isSame ? latest : { epoch, generation, out: null, doubt: null }
    this.#ofPartition.set(partition, standing)
    this.#latest.set(key, standing)
    return standing
  }
}

/** Names come one after another, so another name that was taken later is of a later one; an unknown one may be any. */
function isLater(generation: string, than: string): boolean {
  return generation !== '' && than !== '' && generation !== than
}
