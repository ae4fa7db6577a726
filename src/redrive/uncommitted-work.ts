import { onAbort } from '../runtime/on-abort.js'

/** One partition of the dead-letter topic, as its reader tells it. */
export interface CommittedPart {
  readonly partition: number
  /** Next offset that is not done. */
  readonly settled: number
  readonly committed: number | null
}

interface Mark {
  /** Where the partition was when it was first looked at: no commit is owed for that. */
  readonly begin: number
  /** What a commit has to pass, and since when. */
  readonly settled: number
  readonly at: number
}

/** Commits follow within a tenth of a second; one that takes so long beyond its pace is in trouble. */
const mostMs = 1_000

/**
 * What a kill would send again is what was sent and not committed. While commits are answered that is little; while they are
 * not, however long, sending must not go on:
 *
 * | what was done is        | letters |
 * |-------------------------|---------|
 * | committed in time       | go |
 * | not, for a second       | wait, until a commit has passed it |
 */
export class UncommittedWork {
  /** By partition. */
  readonly #marks = new Map<number, Mark>()
  readonly #waiting = new Set<() => void>()
  #isHeld = false

  get isHeld(): boolean {
    return this.#isHeld
  }

  /** @param windowMs how long what is done stays uncommitted while all is well */
  note(parts: readonly CommittedPart[], windowMs: number, now: number): void {
    // What went to another member is its matter; of what nobody has said where it starts nothing was done.
    const ours = new Map(parts.filter(({ settled }) => settled >= 0).map((part) => [part.partition, part]))
    for (const partition of this.#marks.keys()) if (!ours.has(partition)) this.#marks.delete(partition)
    let oldest = Infinity
    for (const [partition, { settled, committed }] of ours) {
      const before = this.#marks.get(partition) ?? { begin: settled, settled, at: now }
      const kept = Math.max(committed ?? -1, before.begin)
      const mark = kept >= before.settled ? { begin: before.begin, settled, at: now } : before
      this.#marks.set(partition, mark)
      if (settled > kept) oldest = Math.min(oldest, mark.at)
    }
    this.#isHeld = now - oldest >= windowMs + mostMs
    if (this.#isHeld) return
    for (const go of this.#waiting) go()
    this.#waiting.clear()
  }

  /** Resolves when letters may go, or `signal` aborts. */
  async mayGo(signal: AbortSignal): Promise<void> {
    while (this.#isHeld && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const go = () => {
          stop()
          resolve()
        }
        const stop = onAbort(signal, go)
        this.#waiting.add(go)
      })
    }
  }
}
