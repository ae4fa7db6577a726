import type { Ledger, Outcome } from '../support/ledger.js'
import { delay } from '../support/waiting.js'
import type { Workload } from './workload.js'

export interface LoadOptions {
  readonly perSecond: number
  /** Sends of one producer that may be without an outcome. */
  readonly inFlight: number
  readonly keys: number
  readonly valueBytes: number
}

/** Paced sends of one producer, each noted in the ledger before it is made and when its outcome comes. */
export class Load {
  #outstanding = 0
  #stopped = false
  readonly #running: Promise<void>

  constructor(
    private readonly workload: Workload,
    private readonly ledger: Ledger,
    private readonly producer: number,
    private readonly options: LoadOptions,
    private readonly onOutcome: (outcome: Outcome, sentAt: number) => void,
  ) {
    this.#running = this.#run()
  }

  get outstanding(): number {
    return this.#outstanding
  }

  /** Sends no more, and waits until each send has its outcome or time is up. */
  async stop(timeoutMs: number): Promise<void> {
    this.#stopped = true
    await this.#running
    const giveUpAt = performance.now() + timeoutMs
    while (this.#outstanding > 0 && performance.now() < giveUpAt) await delay(20)
  }

  async #run(): Promise<void> {
    const { perSecond, inFlight } = this.options
    let allowance = 0
    let last = performance.now()
    while (!this.#stopped) {
      await delay(5)
      const now = performance.now()
      allowance = Math.min(allowance + ((now - last) / 1_000) * perSecond, perSecond / 10)
      last = now
      for (; allowance >= 1 && this.#outstanding < inFlight; allowance--) this.#sendOne(now)
    }
  }

  #sendOne(sentAt: number): void {
    const { keys, valueBytes } = this.options
    const key = `${this.producer}-${this.ledger.sent(this.producer) % keys}`
    const id = this.ledger.invoke(this.producer, key)
    this.#outstanding++
    void this.workload.send(key, this.ledger.value(id, valueBytes)).then((outcome) => {
      this.#outstanding--
      this.ledger.settle(id, outcome)
      this.onOutcome(outcome, sentAt)
    })
  }
}
