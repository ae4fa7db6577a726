import type { Outcome } from '../support/ledger.js'

export interface FirstAcknowledgement {
  /** From the leader's death to the first acknowledged record that was sent after it. */
  readonly afterDeathMs: number
  /** How much of it went by after Kafka had new leaders: the client's own part. */
  readonly afterNewLeaderMs: number
}

/** How long after a leader's death its partitions take records again. */
export class FirstAcknowledgements {
  readonly #found: FirstAcknowledgement[] = []
  #partitions: ReadonlySet<number> = new Set()
  #diedAt = 0
  #acknowledgedAt: number | undefined
  #newLeadersAt: number | undefined

  /** In the order of the deaths. */
  get all(): readonly FirstAcknowledgement[] {
    return this.#found
  }

  leaderKilled(partitions: ReadonlySet<number>): void {
    this.#partitions = partitions
    this.#diedAt = performance.now()
    this.#acknowledgedAt = undefined
    this.#newLeadersAt = undefined
  }

  newLeaders(): void {
    this.#newLeadersAt = performance.now()
    this.#note()
  }

  outcome(outcome: Outcome, sentAt: number): void {
    if (outcome.kind !== 'stored' || sentAt < this.#diedAt || !this.#partitions.has(outcome.partition)) return
    this.#partitions = new Set()
    this.#acknowledgedAt = performance.now()
    this.#note()
  }

  #note(): void {
    if (this.#acknowledgedAt === undefined || this.#newLeadersAt === undefined) return
    this.#found.push({
      afterDeathMs: this.#acknowledgedAt - this.#diedAt,
      afterNewLeaderMs: Math.max(0, this.#acknowledgedAt - this.#newLeadersAt),
    })
  }
}
