import type { Clock } from '../../../runtime/clock.js'

/** Runs everything that was pushed in one turn of the event loop together in the next one: one `defer` for all. */
export class TurnQueue {
  #queue: (() => void)[] = []

  constructor(private readonly clock: Clock) {}

  push(callback: () => void): void {
    if (this.#queue.push(callback) === 1) this.clock.defer(() => this.#run())
  }

  #run(): void {
    const queue = this.#queue
    this.#queue = []
    for (const callback of queue) callback()
  }
}
