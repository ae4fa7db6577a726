import type { LeaderHint } from '../../connection/requests/metadata.js'

/** How long the leader alone is asked after a follower failed once; twice as long after each further failure in a row. */
const firstBarMs = 5_000

type State =
  /** `settledUntil`: as long as it counts that the leader, told where the reader is, named nobody. */
  | { readonly kind: 'leader'; readonly settledUntil: number }
  | { readonly kind: 'follower'; readonly node: number; readonly under: LeaderHint; readonly until: number }
  | { readonly kind: 'leader-alone'; readonly failed: number; readonly until: number }

const unsettled: State = { kind: 'leader', settledUntil: -Infinity }

/**
 * Which broker one partition is fetched from. Only its leader sends readers elsewhere, and it alone has the say about the log:
 *
 * | state        | when                                             | then |
 * |--------------|--------------------------------------------------|------|
 * | leader       | it names a follower near the reader              | follower, for as long as metadata count as fresh |
 * | follower     | that time is over                                | leader, which may name one again |
 * | follower     | another leader or another epoch is known         | leader; whether the place still stands is asked there |
 * | follower     | any error, also an offset that it does not have, unreadable bytes, silence | leader alone: nothing is reset by a follower's word |
 * | leader alone | it names another follower all the same           | follower |
 * | leader alone | it names the one that failed all the same        | leader alone, asked again after a pause |
 * | leader alone | some time, longer with each failure in a row     | leader |
 *
 * Leader alone: it is not told where the reader is, so that it gives records and does not name the same follower again. Some
 * `replica.selector.class` may name one without that.
 */
export class ReadSource {
  #state: State = unsettled
  #failures = 0
  #hasFollowed = false

  /** Was it ever sent to a follower? */
  get hasFollowed(): boolean {
    return this.#hasFollowed
  }

  /** Whom to ask now. */
  node(leader: LeaderHint, now: number): number {
    const state = this.#state
    if (state.kind !== 'follower') return leader.leader
    const isSame = state.under.leader === leader.leader && state.under.leaderEpoch === leader.leaderEpoch
    if (isSame && now < state.until) return state.node
    this.#state = unsettled
    return leader.leader
  }

  /** May the leader name a follower? */
  mayFollow(now: number): boolean {
    return this.#state.kind !== 'leader-alone' || now >= this.#state.until
  }

  /** Is it time that the leader is told where the reader is? */
  isUnsettled(now: number): boolean {
    const state = this.#state
    if (state.kind === 'follower') return false
    return now >= (state.kind === 'leader' ? state.settledUntil : state.until)
  }

  /** The leader is told where the reader is; when it names nobody, that counts until then. */
  settle(until: number): void {
    if (this.#state.kind !== 'follower') this.#state = { kind: 'leader', settledUntil: until }
  }

  /** The leader `under` named a follower, or with -1 none. */
  named(node: number, under: LeaderHint, now: number, until: number): 'stays' | 'follows' | 'failed-lately' {
    if (node < 0 || node === under.leader) return 'stays'
    const state = this.#state
    if (state.kind === 'leader-alone' && state.failed === node && now < state.until) return 'failed-lately'
    this.#state = { kind: 'follower', node, under, until }
    this.#hasFollowed = true
    return 'follows'
  }

  followerServed(): void {
    this.#failures = 0
  }

  /** @param maxMs the leader may name a follower again after this at the latest */
  followerFailed(node: number, now: number, maxMs: number): void {
    // Of one that is not asked any more nobody need know.
    if (this.#state.kind !== 'follower' || this.#state.node !== node) return
    const until = now + Math.min(firstBarMs * 2 ** this.#failures, maxMs)
    this.#state = { kind: 'leader-alone', failed: node, until }
    this.#failures = Math.min(this.#failures + 1, 10)
  }
}
