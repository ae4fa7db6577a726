import type { CommitPolicy } from '../../offsets/commit-policy.js'

/** Under `closely`: least time between two commits, offsets a second of one member, and the most that this may stretch to. */
const leastWindowMs = 100
const offsetsPerSecond = 500
const mostWindowMs = 5_000

/**
 * How closely commits follow the work. A killed member repeats what it settled since its last commit, so under `closely`
 * the next one goes out as soon as the last was answered and this window is over:
 *
 * | partitions with news | window |
 * |----------------------|--------|
 * | up to 50             | 100 ms |
 * | 50 to 2,500          | 2 ms for each |
 * | more                 | 5 s |
 *
 * The first commit after a rest waits for nothing.
 */
export class CommitPace {
  readonly #policy: CommitPolicy
  #sentAt = -Infinity
  #windowMs: number

  constructor(policy: CommitPolicy) {
    this.#policy = policy
    this.#windowMs = policy === 'closely' ? leastWindowMs : typeof policy === 'string' ? 0 : policy.everyMs
  }

  /** How long progress stays uncommitted at the most, as far as the pace decides. */
  get windowMs(): number {
    return this.#windowMs
  }

  /** A commit of so many offsets went out. */
  sent(offsets: number, now: number): void {
    if (this.#policy !== 'closely') return
    this.#sentAt = now
    this.#windowMs = Math.min(mostWindowMs, Math.max(leastWindowMs, (offsets / offsetsPerSecond) * 1_000))
  }

  /** How long news may wait from now on. */
  delayMs(now: number): number {
    if (this.#policy !== 'closely') return this.#windowMs
    return Math.max(0, this.#sentAt + this.#windowMs - now)
  }
}
