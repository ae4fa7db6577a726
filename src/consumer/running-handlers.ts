import { TimeoutError } from '../errors.js'
import type { Clock, Timer } from '../runtime/clock.js'
import type { Logger } from '../telemetry/logger.js'
import type { Metrics } from '../telemetry/metrics.js'
import type { HandlerRun } from './handler-run.js'
import type { OwnedPartition } from './owned-partition.js'

export interface RunningHandlersOptions {
  readonly clock: Clock
  /** How long a handler whose deadline passed may take to heed its signal, before its lane goes on without it. */
  readonly graceMs: number
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * Handlers that have not ended. All have the same time to finish, so one timer serves them all:
 *
 * | a handler is | until                        | then |
 * |--------------|------------------------------|------|
 * | in time      | its deadline                 | it has failed and its signal aborts; the lane waits for it still |
 * | expired      | it ends, or the grace is over | its lane goes on |
 * | overrunning  | it ends                      | nothing: its record's fate is sealed |
 */
export class RunningHandlers {
  readonly #options: RunningHandlersOptions
  /** Each in the order of its deadlines. */
  readonly #inTime = new Set<HandlerRun>()
  readonly #expired = new Set<HandlerRun>()
  readonly #overrunning = new Set<HandlerRun>()
  #timer: Timer | null = null

  constructor(options: RunningHandlersOptions) {
    this.#options = options
  }

  add(run: HandlerRun): void {
    this.#inTime.add(run)
    if (this.#timer === null) this.#arm()
  }

  delete(run: HandlerRun): void {
    if (!this.#inTime.delete(run)) this.#expired.delete(run)
  }

  /** Tells the handlers of a partition that their result no longer counts. */
  abort(partition: OwnedPartition, reason: Error): void {
    partition.cancelled = true
    for (const run of this.#inTime) if (run.partition === partition) run.cancel(reason)
  }

  /** Start of the oldest run, by `clock.now()`. */
  get oldestStartedAt(): number | null {
    for (const runs of [this.#overrunning, this.#expired, this.#inTime]) {
      for (const { startedAt } of runs) return startedAt
    }
    return null
  }

  /** Handlers that ignored the end of their time and still run, beside what their lanes do now. */
  get overrunning(): number {
    return this.#overrunning.size
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(): void {
    const [oldest] = this.#inTime
    const [oldestExpired] = this.#expired
    const at = Math.min(oldest?.endsAt ?? Infinity, (oldestExpired?.endsAt ?? Infinity) + this.#options.graceMs)
    if (at === Infinity) return
    const { clock } = this.#options
    this.#timer = clock.setTimer(Math.max(0, at - clock.now()), () => this.#onTimer())
  }

  #onTimer(): void {
    this.#timer = null
    const now = this.#options.clock.now()
    for (const run of this.#inTime) {
      if (run.endsAt > now) break
      this.#expire(run)
    }
    for (const run of this.#expired) {
      if (run.endsAt + this.#options.graceMs > now) break
      this.#giveUp(run)
    }
    this.#arm()
  }

  #expire(run: HandlerRun): void {
    this.#inTime.delete(run)
    this.#expired.add(run)
    this.#options.metrics.count('tidemark_consumer_handler_timeouts_total', { topic: run.partition.topic })
    run.expire(tooSlow(run))
  }

  #giveUp(run: HandlerRun): void {
    this.#expired.delete(run)
    this.#overrunning.add(run)
    const { topic, partition } = run.partition
    this.#options.logger.warn(
      { topic, partition, runsForMs: this.#options.clock.now() - run.startedAt },
      'a handler goes on although its time is over and its signal aborted; later records are handled beside it',
    )
    run.giveUp()
    void run.whenEnded().then(() => this.#overrunning.delete(run)) // never rejects; nothing depends on it
  }
}

function tooSlow({ partition: { topic, partition }, startedAt, endsAt }: HandlerRun): TimeoutError {
  return new TimeoutError(
    'handler-timeout',
    `the handler did not end within ${endsAt - startedAt} ms; make it faster, or raise handlerTimeoutMs`,
    { topic, partition },
  )
}
