/**
 * At most one run at a time, and no wake-up is lost: `wake` during a run causes exactly one more run after it.
 * `run` must not throw; what it cannot handle it hands to its owner.
 */
export class WorkLoop {
  #state: 'idle' | 'running' | 'running-again' = 'idle'
  readonly #run: () => void | Promise<void>

  constructor(run: () => void | Promise<void>) {
    this.#run = run
  }

  wake(): void {
    if (this.#state === 'idle') {
      this.#state = 'running'
      void this.#loop()
    } else {
      this.#state = 'running-again'
    }
  }

  async #loop(): Promise<void> {
    for (;;) {
      await this.#run()
      // A wake that came between the end of the run and here has set running-again, so it is seen.
      if (this.#state === 'running') {
        this.#state = 'idle'
        return
      }
      this.#state = 'running'
    }
  }
}
