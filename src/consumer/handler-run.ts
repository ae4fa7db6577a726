import type { ContextSend, MiddlewareContext } from './handler.js'
import type { OwnedPartition } from './owned-partition.js'

/** One call of the handler. The abort controller is made only when somebody asks for the signal. */
export class HandlerRun implements MiddlewareContext {
  attempt: number
  firstFailedAt: number | null = null
  #controller: AbortController | null = null
  #abortReason: Error | null = null
  #end: 'open' | 'cancelled' | 'expired' = 'open'
  #expire: ((error: Error) => void) | null = null

  constructor(
    readonly partition: OwnedPartition,
    attempt: number,
    readonly startedAt: number,
    readonly deadline: number,
    readonly send: ContextSend,
  ) {
    this.attempt = attempt
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

  /** The deadline passed: the run counts as failed although the handler may not have ended. */
  expire(error: Error): void {
    if (this.#end === 'open') {
      this.#end = 'expired'
      this.#abort(error)
    }
    this.#expire?.(error)
  }

  /** Settles as the handler does, or rejects when the run expires. */
  outcome(handled: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#expire = reject
      handled.then(resolve, reject)
    })
  }

  #abort(reason: Error): void {
    this.#abortReason = reason
    this.#controller?.abort(reason)
  }
}
