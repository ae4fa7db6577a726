import { TimeoutError } from '../../errors.js'
import type { Clock, Timer } from '../../runtime/clock.js'
import { LinkedSet } from '../../runtime/linked-set.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { HandlerCall } from './handler-call.js'

export interface RunningCallsParts {
  readonly clock: Clock
  /** How long a handler whose deadline passed may take to heed its signal, before its lane goes on without it. */
  readonly graceMs: number
  readonly handledBy: 'handler' | 'loop'
  readonly telemetry: Telemetry
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
export class RunningCalls {
  readonly #parts: RunningCallsParts
  /** Each in the order of its deadlines. */
  readonly #inTime = new LinkedSet<HandlerCall>()
  readonly #expired = new LinkedSet<HandlerCall>()
  readonly #overrunning = new LinkedSet<HandlerCall>()
  #timer: Timer | null = null

  constructor(parts: RunningCallsParts) {
    this.#parts = parts
  }

  add(call: HandlerCall): void {
    this.#inTime.add(call)
    if (this.#timer === null) this.#arm()
  }

  delete(call: HandlerCall): void {
    if (!this.#inTime.delete(call)) this.#expired.delete(call)
  }

  /** Tells the handlers of a partition that their result no longer counts. */
  abort(partition: OwnedPartition, reason: Error): void {
    partition.cancelled = true
    for (const call of this.#inTime) if (call.partition === partition) call.cancel(reason)
  }

  /** Start of the oldest call, by `clock.now()`. */
  get oldestStartedAt(): number | null {
    const oldest = this.#overrunning.oldest ?? this.#expired.oldest ?? this.#inTime.oldest
    return oldest?.startedAt ?? null
  }

  /** Handlers that ignored the end of their time and still call, beside what their lanes do now. */
  get overrunning(): number {
    return this.#overrunning.size
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(): void {
    const expiresAt = this.#inTime.oldest?.endsAt ?? Infinity
    const overrunsAt = (this.#expired.oldest?.endsAt ?? Infinity) + this.#parts.graceMs
    const at = Math.min(expiresAt, overrunsAt)
    if (at === Infinity) return
    const { clock } = this.#parts
    this.#timer = clock.setTimer(Math.max(0, at - clock.now()), () => this.#onTimer())
  }

  #onTimer(): void {
    this.#timer = null
    const now = this.#parts.clock.now()
    for (const call of this.#inTime) {
      if (call.endsAt > now) break
      this.#expire(call)
    }
    // What follows from giving one up may end others.
    for (const call of [...this.#expired]) {
      if (call.endsAt + this.#parts.graceMs > now) break
      if (this.#expired.delete(call)) this.#giveUp(call)
    }
    this.#arm()
  }

  #expire(call: HandlerCall): void {
    this.#inTime.delete(call)
    this.#expired.add(call)
    call.expire(tooSlow(call, this.#parts.handledBy))
    const { topic, partition } = call.partition
    tell(this.#parts.telemetry, {
      kind: 'handler-timed-out',
      topic,
      partition,
      afterMs: call.endsAt - call.startedAt,
    })
  }

  #giveUp(call: HandlerCall): void {
    this.#overrunning.add(call)
    void call.whenEnded().then(() => this.#overrunning.delete(call)) // never rejects; nothing depends on it
    const { topic, partition } = call.partition
    const runsForMs = this.#parts.clock.now() - call.startedAt
    const { telemetry, handledBy } = this.#parts
    tell(telemetry, { kind: 'handler-overruns', topic, partition, runsForMs, handledBy })
    call.giveUp()
  }
}

function tooSlow({ partition, startedAt, endsAt }: HandlerCall, handledBy: 'handler' | 'loop'): TimeoutError {
  const { topic, partition: number } = partition
  const problem =
    handledBy === 'loop'
      ? 'a batch of the loop was not settled by done(), commit() or fail()'
      : 'the handler and its sends did not end'
  const fix = handledBy === 'loop' ? 'settle every batch, with fewer batchMessages if need be' : 'make it faster'
  return new TimeoutError(
    'handler-timeout',
    `${problem} within ${endsAt - startedAt} ms; ${fix}, or raise handlerTimeoutMs`,
    { topic, partition: number },
  )
}
