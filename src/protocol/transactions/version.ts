import type { TransactionVersion } from '../../connection/requests/transactions.js'
import type { Clock } from '../../runtime/clock.js'
import type { Coordinator } from './coordinator.js'

const askAgainMs = 30_000
const feature = 'transaction.version'

/**
 * Which `transaction.version` the cluster has agreed on. What brokers offer proves nothing: they speak the newer
 * requests long before the cluster has switched, and refuse what those mean. Of several answers the one with the
 * highest epoch is true, wherever it came from.
 */
export class AgreedVersion {
  readonly #coordinator: Coordinator
  readonly #clock: Clock
  #epoch = -1
  #version: TransactionVersion = 1
  #askedAt = -Infinity
  #asking: Promise<void> | null = null

  constructor(coordinator: Coordinator, clock: Clock) {
    this.#coordinator = coordinator
    this.#clock = clock
  }

  /** As told not long ago, else asked for. */
  async current(deadline: number): Promise<TransactionVersion> {
    if (this.#clock.now() - this.#askedAt >= askAgainMs) {
      this.#asking ??= this.#ask(deadline).finally(() => (this.#asking = null))
      await this.#asking
    }
    return this.#version
  }

  /** A transaction failed, for which the reason may be that we took it for another version. */
  doubt(): void {
    this.#askedAt = -Infinity
  }

  async #ask(deadline: number): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const asked = await this.#coordinator.ask({ api: 'apiVersions' }, deadline)
      if (asked.kind === 'answered' && asked.answer.errorCode === 0) {
        const { finalizedFeatures, finalizedFeaturesEpoch } = asked.answer
        this.#askedAt = this.#clock.now()
        if (finalizedFeaturesEpoch < this.#epoch) return
        this.#epoch = finalizedFeaturesEpoch
        const level = finalizedFeatures.find(({ name }) => name === feature)?.maxLevel ?? 0
        this.#version = level >= 2 ? 2 : 1
        return
      }
      if (!(await this.#coordinator.rest(attempt, deadline))) return
    }
  }
}
