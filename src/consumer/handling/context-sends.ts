import { HandlerError, StateError } from '../../errors.js'
import type { Clock } from '../../runtime/clock.js'
import type { Logger } from '../../telemetry/logger.js'
import type { ContextSend } from './handler.js'
import type { Output, Outputs } from './outputs.js'

/** What all calls of the handler of a consumer, and their sends, have in common. */
export class CallGround {
  readonly #logger: Logger
  /** One line says what is wrong with the handler; at every record it would only be longer. */
  #told = false

  constructor(
    readonly outputs: Outputs,
    readonly clock: Clock,
    readonly handlerTimeoutMs: number,
    logger: Logger,
  ) {
    this.#logger = logger
  }

  /** A send came, or failed unseen, when the fate of its record was decided already. */
  tellStray(error: unknown): void {
    const level = this.#told ? 'debug' : 'warn'
    this.#told = true
    this.#logger[level](
      { error },
      'a send of a handler failed after the fate of its record was decided; await every send',
    )
  }
}

/**
 * What one call of a handler sends. Its record may count as handled only when all of it is stored, else a crash loses what
 * the committed offset says is done. So the promises that it hands out know whether anybody has taken their end:
 *
 * | a promise  | and                                      | then |
 * |------------|------------------------------------------|------|
 * | is pending | whatever                                 | its record waits |
 * | has failed | somebody awaited it or chained to it     | what was chained answers for it: it is such a promise too |
 * | has failed | nobody did until all of the call ended   | its record has failed |
 * | has failed | the fate of its record is decided        | told once; it ends no process |
 *
 * Made at the first send: a handler that sends nothing pays nothing.
 */
export class ContextSends {
  readonly #ground: CallGround
  readonly output: Output
  #pending = 0
  /** `null` until one fails. */
  #unseen: Map<SentPromise<unknown>, unknown> | null = null
  #state: 'open' | 'closed' = 'open'
  #onEnded: (() => void) | null = null

  constructor(ground: CallGround) {
    this.#ground = ground
    this.output = ground.outputs.open()
  }

  readonly send: ContextSend = (topic, value, options) => {
    if (this.#state === 'closed') return SentPromise.of(Promise.reject(tooLate(topic.name)), this)
    return SentPromise.of(this.output.send(topic, value, options), this)
  }

  /** When nothing is pending, at once if so: with the failure of a send that nobody has seen, else `null`. None is taken after. */
  whenEnded(): HandlerError | null | Promise<HandlerError | null> {
    return this.#pending > 0 ? this.#whenNonePends() : this.#end()
  }

  async #whenNonePends(): Promise<HandlerError | null> {
    while (this.#pending > 0) {
      await new Promise<void>((resolve) => (this.#onEnded = resolve))
      // Code that nobody waits for may be about to send the next one.
      await new Promise<void>((resolve) => this.#ground.clock.defer(resolve))
    }
    return this.#end()
  }

  #end(): HandlerError | null {
    this.close()
    if (this.#unseen !== null) for (const failure of this.#unseen.values()) return unseenFailure(failure)
    return null
  }

  /** What failed so far is sent once more, and so is what has not gone out. */
  forgetUnseen(): void {
    this.output.drop()
    this.#unseen = null
  }

  /** The fate of the record is decided. */
  close(): void {
    this.#state = 'closed'
  }

  /** This and the following are for the promises. */
  began(): void {
    this.#pending += 1
  }

  ended(): void {
    this.#pending -= 1
    if (this.#pending === 0) this.#onEnded?.()
  }

  failed(promise: SentPromise<unknown>, error: unknown): void {
    if (this.#state === 'closed') this.#ground.tellStray(error)
    else (this.#unseen ??= new Map()).set(promise, error)
    this.ended()
  }

  taken(promise: SentPromise<unknown>): void {
    this.#unseen?.delete(promise)
  }
}

/** A promise that tells when it ends and whether somebody takes its end. It never is an unhandled rejection. */
class SentPromise<Value> extends Promise<Value> {
  readonly #sends: ContextSends
  #isTaken = false

  private constructor(sent: Promise<Value>, sends: ContextSends) {
    let resolve!: (value: Value) => void
    let reject!: (error: unknown) => void
    super((toValue, toError) => {
      resolve = toValue
      reject = toError
    })
    this.#sends = sends
    sends.began()
    // Native from here on: it is made for every record.
    void sent.then(
      (value) => {
        resolve(value)
        sends.ended()
      },
      (error: unknown) => {
        reject(error)
        super.then(undefined, () => undefined)
        if (this.#isTaken) sends.ended()
        else sends.failed(this, error)
      },
    )
  }

  /** What it chains to is watched as `then` says, which needs no promise of this class in between. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  static of<Value>(sent: Promise<Value>, sends: ContextSends): SentPromise<Value> {
    return new SentPromise(sent, sends)
  }

  /** `await`, `catch` and `finally` come here too. */
  override then<Fulfilled = Value, Rejected = never>(
    onFulfilled?: ((value: Value) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.#isTaken = true
    this.#sends.taken(this)
    return new SentPromise(super.then(onFulfilled, onRejected), this.#sends)
  }
}

function unseenFailure(cause: unknown): HandlerError {
  const name = cause instanceof Error ? cause.name : typeof cause
  return new HandlerError(
    'send-failed',
    `a send of the handler failed (${name}), and the handler neither awaited it nor caught its rejection; await every ` +
      'context.send, or catch the rejections that do not matter',
    { cause },
  )
}

function tooLate(topic: string): StateError {
  return new StateError(
    'handler-ended',
    `context.send to ${topic} was called when the fate of its record was decided (the handler and all its sends had ended, or ` +
      'its time was over), so nothing was sent; send before the handler ends, or with a producer',
    { topic },
  )
}
