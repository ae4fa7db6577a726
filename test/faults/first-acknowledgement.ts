import type { Outcome } from '../support/ledger.js'

/** How long after a leader's death its partitions take the first record that was sent after it. */
export class FirstAcknowledgements {
  readonly #waits: number[] = []
  #watched: { readonly partitions: ReadonlySet<number>; readonly since: number } | undefined

  get waitsMs(): readonly number[] {
    return this.#waits
  }

  get worstMs(): number | undefined {
    return this.#waits.length === 0 ? undefined : Math.max(...this.#waits)
  }

  leaderKilled(partitions: ReadonlySet<number>): void {
    if (partitions.size > 0) this.#watched = { partitions, since: performance.now() }
  }

  outcome(outcome: Outcome, sentAt: number): void {
    const watched = this.#watched
    if (watched === undefined || outcome.kind !== 'stored' || sentAt < watched.since) return
    if (!watched.partitions.has(outcome.partition)) return
    this.#waits.push(performance.now() - watched.since)
    this.#watched = undefined
  }
}
