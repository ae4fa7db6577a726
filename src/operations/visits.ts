import type { Clock } from '../runtime/clock.js'
import type { Admin } from './admin.js'
import type { ClusterQuestions } from './topic-view.js'

/** Asks the cluster over a client that is open while somebody asks, so that what is asked once leaves no connection behind. */
export class Visits {
  readonly #open: () => Admin
  readonly #clock: Clock
  readonly #closed = new AbortController()
  #admin: Admin | null = null
  #visitors = 0

  constructor(open: () => Admin, clock: Clock) {
    this.#open = open
    this.#clock = clock
  }

  /** Aborts at the close. */
  get signal(): AbortSignal {
    return this.#closed.signal
  }

  now(): number {
    return this.#clock.now()
  }

  async visit<Answer>(ask: (questions: ClusterQuestions) => Promise<Answer>): Promise<Answer> {
    this.#visitors += 1
    this.#admin ??= this.#open()
    try {
      return await ask({ admin: this.#admin, clock: this.#clock, signal: this.#closed.signal })
    } finally {
      this.#visitors -= 1
      if (this.#visitors === 0) await this.#leave()
    }
  }

  /** What is being asked ends with an error. */
  async close(): Promise<void> {
    this.#closed.abort()
    await this.#leave()
  }

  async #leave(): Promise<void> {
    const admin = this.#admin
    this.#admin = null
    // The answer is there, or nobody wants it any more.
    await admin?.close().catch(() => undefined)
  }
}
