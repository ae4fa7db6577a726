import type { Message } from '../../message/message.js'
import type { Clock } from '../../runtime/clock.js'
import type { CallMark } from '../../runtime/callers.js'
import { Soon, tellWhenThere } from '../../runtime/soon.js'
import type { Logger } from '../../telemetry/logger.js'
import { noMetrics, type Metrics } from '../../telemetry/metrics.js'
import { handled, late, type Settlement } from '../partition/settlement.js'
import type { Delivery } from '../partition/delivery.js'
import type { Work } from '../partition/work.js'
import { endAt, placeFailure } from './batch-parts.js'
import { compose } from './compose.js'
import { CallGround } from './context-sends.js'
import { HandlerCall, type CallListener, type HandlerFailure } from './handler-call.js'
import type { Handler, Middleware } from './handler.js'
import type { Ladder } from './ladder.js'
import { lazyFailure } from './lazy-result.js'
import type { Outages } from './outages.js'
import type { Joined, Output, Outputs } from './outputs.js'
import type { RunningCalls } from './running-calls.js'

/** What the user gave: one message at a time, or batches. */
export type Handling =
  | { readonly kind: 'each'; readonly handle: Handler<Message> }
  | { readonly kind: 'batch'; readonly handleBatch: Handler<readonly Message[]> }

/** What a delivery is given. */
export interface DeliveryParts {
  readonly handling: Handling
  readonly middleware: readonly Middleware[]
  /** The messages of a delivery as they came, for another attempt. */
  readonly messagesAgain: (work: Work) => Message | readonly Message[]
  /** What becomes of what fails. */
  readonly ladder: Ladder
  readonly outages: Pick<Outages, 'succeeded' | 'endedBy'>
  readonly running: RunningCalls
  /** Of every call of the handler. */
  readonly mark: CallMark
  readonly outputs: Outputs
  readonly handlerTimeoutMs: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** An attempt failed, before anything follows from it. */
  readonly onFailed: ((work: Work, error: unknown) => void) | undefined
}

type Invoke = (work: Work, call: HandlerCall) => void | Promise<void>

/** The handler has ended, and all that it sent is stored, before a record counts as done; a crash in between repeats it. */
class AtLeastOnce implements Delivery {
  readonly #invoke: Invoke
  readonly #parts: DeliveryParts
  readonly #ground: CallGround

  constructor(parts: DeliveryParts) {
    this.#parts = parts
    this.#ground = new CallGround(parts.outputs, parts.clock, parts.handlerTimeoutMs, parts.logger)
    this.#invoke = parts.mark.calling(invokeOf(parts))
  }

  deliver(work: Work): Settlement | PromiseLike<Settlement> {
    const { clock, ladder } = this.#parts
    if (work.partition.cancelled) return late
    const call = new HandlerCall(work, clock.now(), this.#ground)
    if (work.failure !== null) return ladder.end(work, call, work.failure)
    let ended: void | Promise<void>
    try {
      ended = this.#invoke(work, call)
      if (isPromise(ended)) return this.#whenEnded(call, ended)
    } catch (error) {
      if (call.maySend) return this.#whenEnded(call, Promise.reject(error as Error))
      call.over()
      return this.#failed(work, call, error)
    }
    const lazy = lazyFailure(ended)
    if (call.maySend) return this.#whenEnded(call, lazy === null ? Promise.resolve() : Promise.reject(lazy.error))
    call.over()
    if (lazy !== null) return this.#failed(work, call, lazy.error)
    this.#succeeded(call)
    return handled
  }

  #whenEnded(call: HandlerCall, ended: PromiseLike<void>): Soon<Settlement> {
    const { running, mark } = this.#parts
    running.add(call)
    const settlement = new SoonSettled(this)
    call.whenSettled(ended, mark, settlement)
    return settlement
  }

  outcome(call: HandlerCall, failure: HandlerFailure | null): Settlement | Promise<Settlement> {
    this.#parts.running.delete(call)
    const { work } = call
    // Whoever gets the partition handles the record again: no attempt is spent, nothing is dead-lettered. A handler that
    // returned may have done so because it was told to, with its work undone.
    if (call.isCancelled) {
      call.held?.drop()
      return late
    }
    if (failure !== null) return this.#failed(work, call, failure.error)
    if (call.held !== null) return this.#join(work, call, call.held)
    this.#succeeded(call)
    return handled
  }

  /** What it sent goes out only now, so that a failed call leaves nothing behind. */
  #join(work: Work, call: HandlerCall, held: Output): Settlement | Promise<Settlement> {
    const joined = held.join(work)
    if (joined instanceof Promise) {
      return joined.then(
        (later) => this.#joined(call, later),
        (error: unknown) => this.#failed(work, call, error),
      )
    }
    return this.#joined(call, joined)
  }

  #joined(call: HandlerCall, joined: Joined): Settlement {
    if (joined === 'late') return late
    this.#succeeded(call)
    return handled
  }

  #failed(work: Work, call: HandlerCall, error: unknown): Settlement | Promise<Settlement> {
    const { ladder, outages, onFailed } = this.#parts
    this.#measure(call)
    const { index, cause } = placeFailure(work, error)
    onFailed?.(work, cause)
    const { held } = call
    held?.drop()
    // Nobody can tell which of it the records before sent, so they are not done.
    if (index === null || held !== null) return ladder.end(work, call, cause)
    if (index > 0) outages.succeeded(call.partition, call.startedAt)
    return endAt(work, index, (first, attempt) => ladder.end(first, attempt, cause))
  }

  #succeeded(call: HandlerCall): void {
    this.#parts.outages.succeeded(call.partition, call.startedAt)
    this.#measure(call)
  }

  #measure({ partition, startedAt }: HandlerCall): void {
    const { metrics, clock } = this.#parts
    if (metrics === noMetrics) return
    metrics.observe('tidemark_consumer_handle_seconds', partition.labels.own, (clock.now() - startedAt) / 1000)
  }
}

/** The settlement of a handler that takes its time. */
class SoonSettled extends Soon<Settlement> implements CallListener {
  readonly #delivery: AtLeastOnce

  constructor(delivery: AtLeastOnce) {
    super()
    this.#delivery = delivery
  }

  settled(call: HandlerCall, failure: HandlerFailure | null): void {
    let settlement: Settlement | Promise<Settlement>
    try {
      settlement = this.#delivery.outcome(call, failure)
    } catch (error) {
      this.failed(error)
      return
    }
    if (settlement instanceof Promise) tellWhenThere(settlement, this)
    else this.came(settlement)
  }
}

export type DeliveryFactory = (parts: DeliveryParts) => Delivery

export const atLeastOnce: DeliveryFactory = (parts) => new AtLeastOnce(parts)

/** What a handler does to the messages that it is given is not for later attempts: they get them as they came. */
function invokeOf({ handling, middleware, messagesAgain, mark }: DeliveryParts): Invoke {
  if (handling.kind === 'each') {
    const handle = compose(middleware, handling.handle, mark)
    return (work, call) => handle((work.wasGiven ? messagesAgain(work) : work.messages) as Message, call)
  }
  const handleBatch = compose(middleware, handling.handleBatch, mark)
  return (work, call) => {
    const messages = (work.wasGiven ? messagesAgain(work) : work.messages) as readonly Message[]
    // Its own list: one that is emptied while it is worked off would pass over records at the next attempt.
    return handleBatch(messages.slice(), call)
  }
}

/** Handlers may return any promise-like thing; what is not one means done. */
function isPromise(value: void | Promise<void>): value is Promise<void> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}
