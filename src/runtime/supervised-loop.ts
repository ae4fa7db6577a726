import type { Backoff } from './backoff.js'
import type { Timer } from './clock.js'
import type { Runtime } from './runtime.js'
import { WorkLoop } from './work-loop.js'

export interface SupervisedLoopParts {
  readonly runtime: Runtime
  readonly backoff: Backoff
  /** A run threw, which nothing was meant to; the next one comes after `restartMs`. */
  readonly onCrash: (error: unknown, restartMs: number) => void
}

/** A work loop that outlives its own defects: a run that throws is told and followed by another, after a backoff. */
export class SupervisedLoop {
  readonly #parts: SupervisedLoopParts
  readonly #loop: WorkLoop
  #crashes = 0
  #restart: Timer | null = null
  #state: 'open' | 'closed' = 'open'

  constructor(run: () => void | Promise<void>, parts: SupervisedLoopParts) {
    this.#parts = parts
    this.#loop = new WorkLoop(() => this.#watched(run))
  }

  /** Causes a run after this moment; during the pause after a crash it is the one that comes anyway. */
  wake(): void {
    if (this.#state === 'open' && this.#restart === null) this.#loop.wake()
  }

  /** No further run starts. */
  close(): void {
    this.#state = 'closed'
    this.#restart?.cancel()
  }

  async #watched(run: () => void | Promise<void>): Promise<void> {
    if (this.#state === 'closed' || this.#restart !== null) return
    try {
      await run()
      this.#crashes = 0
    } catch (error) {
      this.#crashed(error)
    }
  }

  #crashed(error: unknown): void {
    if (this.#state === 'closed') return
    const { runtime, backoff, onCrash } = this.#parts
    this.#crashes += 1
    const restartMs = backoff(this.#crashes, runtime.random)
    this.#restart = runtime.clock.setTimer(restartMs, () => {
      this.#restart = null
      this.wake()
    })
    onCrash(error, restartMs)
  }
}
