import { HandlerError } from '../../errors.js'
import type { Message } from '../../message/message.js'
import type { CallMark } from '../../runtime/callers.js'
import type { Handler, HandlerContext, Middleware } from './handler.js'
import { lazyFailure } from './lazy-result.js'

type Inner<Input> = (input: Input, context: HandlerContext) => void | Promise<void>

/** What of the context is told that its handler begins once more. */
interface BeginsAgain {
  beginsAgain?(): void
}

/**
 * The first middleware is the outermost. Without middleware the handler itself comes back, so it costs nothing.
 *
 * @param mark of the calls: what middleware waits for with `next` stands below it too
 */
export function compose<Input extends Message | readonly Message[]>(
  middleware: readonly Middleware[],
  handler: Handler<Input>,
  mark: CallMark,
): Inner<Input> {
  if (middleware.length === 0) return handler
  const reached = new WeakSet<HandlerContext>()
  const innermost: Inner<Input> = (input, context) => {
    if (reached.has(context)) (context as BeginsAgain).beginsAgain?.()
    reached.add(context)
    return handler(input, context)
  }
  const whole = middleware.reduceRight<Inner<Input>>((inner, wrap) => wrapped(inner, wrap, mark), innermost)
  // Else a forgotten `next` would pass every record over in silence.
  const requireReached = (context: HandlerContext) => {
    if (!reached.has(context)) throw notReached()
  }
  return (input, context) => {
    const ended = whole(input, context)
    if (!isPromise(ended)) return requireReached(context)
    return Promise.resolve(ended).then(() => requireReached(context))
  }
}

function wrapped<Input extends Message | readonly Message[]>(
  inner: Inner<Input>,
  wrap: Middleware,
  mark: CallMark,
): Inner<Input> {
  return (input, context) => {
    const calls = new NextCalls(mark)
    let ended: void | Promise<void>
    try {
      ended = wrap(messagesOf(input), context, () => calls.begin(inner(input, context)))
    } catch (error) {
      if (calls.isEmpty) throw error
      ended = Promise.reject(error as Error)
    }
    return calls.isEmpty && !isPromise(ended) ? undefined : calls.end(ended)
  }
}

/**
 * What one call of middleware began with `next`. A handler that goes on behind it must not count as done.
 *
 * | a call of `next`                                | then |
 * |-------------------------------------------------|------|
 * | had ended when its middleware did, and was awaited | the middleware says how the attempt ended |
 * | is under way when its middleware ends           | is waited for; its failure fails the attempt |
 * | has failed, and nobody took its end             | fails the attempt |
 */
class NextCalls {
  readonly #mark: CallMark
  readonly #promises: NextPromise[] = []

  constructor(mark: CallMark) {
    this.#mark = mark
  }

  /** Nothing that takes time was begun. */
  get isEmpty(): boolean {
    return this.#promises.length === 0
  }

  begin(ended: void | Promise<void>): void | Promise<void> {
    if (!isPromise(ended)) return requireDone(ended)
    const promise = NextPromise.of(ended, this.#mark)
    this.#promises.push(promise)
    return promise
  }

  async end(ended: void | Promise<void>): Promise<void> {
    let failure: Failure | null = null
    try {
      await ended
    } catch (error) {
      failure = { error }
    }
    const unseen = this.#promises.filter(({ isTaken, hasEnded }) => !isTaken || !hasEnded)
    for (const promise of unseen) {
      const left = await promise.failure
      failure ??= left
    }
    if (failure !== null) throw failure.error
  }
}

interface Failure {
  readonly error: unknown
}

/** Tells whether somebody takes its end. It never is an unhandled rejection. */
class NextPromise extends Promise<void> {
  isTaken = false
  hasEnded = false
  failure: Promise<Failure | null> = Promise.resolve(null)

  static of(ended: Promise<void>, mark: CallMark): NextPromise {
    const promise = new NextPromise((resolve, reject) => {
      mark.whenEnded(ended, {
        callEnded(thrown, value) {
          const failure = thrown ?? lazyFailure(value)
          if (failure === null) resolve()
          else reject(failure.error as Error)
        },
      })
    })
    promise.#watch()
    return promise
  }

  /** `await`, `catch` and `finally` come here too. */
  override then<Fulfilled = void, Rejected = never>(
    onFulfilled?: ((value: void) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    this.isTaken = true
    return super.then(onFulfilled, onRejected)
  }

  #watch(): void {
    const end = (failure: Failure | null) => {
      this.hasEnded = true
      return failure
    }
    this.failure = super.then(
      () => end(null),
      (error: unknown) => end({ error }),
    )
  }
}

function requireDone(value: unknown): void {
  const lazy = lazyFailure(value)
  if (lazy !== null) throw lazy.error
}

function isPromise(value: unknown): value is Promise<void> {
  return typeof (value as PromiseLike<void> | undefined)?.then === 'function'
}

function notReached(): HandlerError {
  return new HandlerError(
    'middleware-skipped',
    'middleware ended without a call of next(), so the handler was not called; call it, or throw Discard to drop the record',
  )
}

function messagesOf(input: Message | readonly Message[]): readonly Message[] {
  return Array.isArray(input) ? (input as readonly Message[]) : [input as Message]
}
