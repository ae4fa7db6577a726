import { TimeoutError } from '../errors.js'
import type { Clock, Timer } from '../runtime/clock.js'
import type { HandlerRun } from './handler-run.js'
import type { OwnedPartition } from './owned-partition.js'

/** Handlers that have not ended, the oldest first. All have the same time to finish, so one timer serves them all. */
export class RunningHandlers {
  readonly #clock: Clock
  readonly #runs = new Set<HandlerRun>()
  #timer: Timer | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(run: HandlerRun): void {
    this.#runs.add(run)
    if (this.#timer === null) this.#arm(run)
  }

  delete(run: HandlerRun): void {
    this.#runs.delete(run)
  }

  /** Tells the handlers of a partition that their result no longer counts. */
  abort(partition: OwnedPartition, reason: Error): void {
    for (const run of this.#runs) if (run.partition === partition) run.cancel(reason)
  }

  /** Start of the oldest run, absolute ms. */
  get oldestStartedAt(): number | null {
    return this.#runs.values().next().value?.startedAt ?? null
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(oldest: HandlerRun): void {
    if (oldest.deadline === Infinity) return
    this.#timer = this.#clock.setTimer(Math.max(0, oldest.deadline - this.#clock.now()), () => this.#onTimer())
  }

  #onTimer(): void {
    this.#timer = null
    const now = this.#clock.now()
    for (const run of this.#runs) {
      if (run.deadline > now) {
        this.#arm(run)
        return
      }
      this.#runs.delete(run)
      run.expire(tooSlow(run))
    }
  }
}

function tooSlow({ partition: { topic, partition }, startedAt, deadline }: HandlerRun): TimeoutError {
  return new TimeoutError(
    'handler-timeout',
    `the handler did not end within ${deadline - startedAt} ms; make it faster, or raise handlerTimeoutMs`,
    { topic, partition },
  )
}
