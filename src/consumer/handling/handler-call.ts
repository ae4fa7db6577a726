import { wallTimeOf, type Clock } from '../../runtime/clock.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { ContextSend, MiddlewareContext } from './handler.js'

/** The handler threw, or did not end in time. */
export interface HandlerFailure {
  readonly error: unknown
}

/** One call of the handler. The abort controller is made only when somebody asks for the signal. */
export class HandlerCall implements MiddlewareContext {
  attempt: number
  firstFailedAt: number | null = null
  #controller: AbortController | null = null
  #abortReason: Error | null = null
  #end: 'open' | 'cancelled' | 'expired' = 'open'
  #handled: Promise<void> | null = null
  #settle: ((failure: HandlerFailure) => void) | null = null

  constructor(
    readonly partition: OwnedPartition,
    attempt: number,
    readonly clock: Clock,
    readonly startedAt: number,
    /** When its time is over; `deadline` tells it to handlers as wall time. */
    readonly endsAt: number,
    readonly send: ContextSend,
  ) {
    this.attempt = attempt
  }

  get deadline(): number {
    return wallTimeOf(this.clock, this.endsAt)
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController()
      if (this.#abortReason !== null) this.#controller.abort(this.#abortReason)
    }
    return this.#controller.signal
  }

  /** Told to end because its partition is given up: what it throws from now on is no failure of its record. */
  get isCancelled(): boolean {
    return this.#end === 'cancelled'
  }

  cancel(reason: Error): void {
    if (this.#end !== 'open') return
    this.#end = 'cancelled'
    this.#abort(reason)
  }

  /** The deadline passed: the call has failed, whatever its handler does from now on. */
  expire(error: Error): void {
    if (this.#end !== 'open') return
    this.#end = 'expired'
    this.#abort(error)
  }

  /** Its end is waited for no longer. */
  giveUp(): void {
    this.#settle?.({ error: this.#abortReason })
  }

  /** Resolves when the handler ends, or is given up: with `null` when it did so in time and well. Never rejects. */
  outcome(handled: Promise<void>): Promise<HandlerFailure | null> {
    this.#handled = handled
    return new Promise((resolve) => {
      this.#settle = resolve
      handled.then(
        () => resolve(this.#end === 'expired' ? { error: this.#abortReason } : null),
        (error: unknown) => resolve({ error: this.#end === 'expired' ? this.#abortReason : error }),
      )
    })
  }

  /** Resolves when the handler itself has ended. */
  async whenEnded(): Promise<void> {
    await this.#handled?.then(undefined, () => undefined) // how it ended was told by `outcome`, or counts no more
  }

  #abort(reason: Error): void {
    this.#abortReason = reason
    this.#controller?.abort(reason)
  }
}
