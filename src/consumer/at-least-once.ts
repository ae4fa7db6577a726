import type { Message } from '../message/message.js'
import type { Clock } from '../runtime/clock.js'
import { noMetrics, type Metrics } from '../telemetry/metrics.js'
import type { Failures } from './failures.js'
import { compose, type ContextSend, type Handler, type Middleware } from './handler.js'
import { HandlerRun } from './handler-run.js'
import type { RunningHandlers } from './running-handlers.js'
import type { Delivery, Settlement, Work } from './work.js'

/** What the user gave: one message at a time, or batches. */
export type Handling =
  | { readonly kind: 'each'; readonly handle: Handler<Message> }
  | { readonly kind: 'batch'; readonly handleBatch: Handler<readonly Message[]> }

export interface AtLeastOnceOptions {
  readonly handling: Handling
  readonly middleware: readonly Middleware[]
  readonly failures: Failures
  readonly running: RunningHandlers
  readonly send: ContextSend
  readonly handlerTimeoutMs: number
  readonly clock: Clock
  readonly metrics: Metrics
}

type Call = (work: Work, run: HandlerRun) => void | Promise<void>

/** The handler has ended before a record counts as done; a crash in between repeats it. */
export class AtLeastOnce implements Delivery {
  readonly #call: Call
  readonly #options: AtLeastOnceOptions

  constructor(options: AtLeastOnceOptions) {
    this.#options = options
    this.#call = callOf(options.handling, options.middleware)
  }

  deliver(work: Work): Settlement | Promise<Settlement> {
    const { clock, handlerTimeoutMs, send, failures } = this.#options
    if (work.partition.cancelled) return 'late'
    const now = clock.now()
    const run = new HandlerRun(work.partition, work.attempt, clock, now, now + handlerTimeoutMs, send)
    if (work.failure !== null) return failures.end(work, run, work.failure)
    let handled: void | Promise<void>
    try {
      handled = this.#call(work, run)
    } catch (error) {
      return failures.end(work, run, error)
    }
    if (isPromise(handled)) return this.#whenHandled(work, run, handled)
    this.#measure(run)
    return 'handled'
  }

  async #whenHandled(work: Work, run: HandlerRun, handled: Promise<void>): Promise<Settlement> {
    const { running, failures } = this.#options
    running.add(run)
    const failure = await run.outcome(handled)
    running.delete(run)
    // Whoever gets the partition handles the record again: no attempt is spent, nothing is dead-lettered. A handler that
    // returned may have done so because it was told to, with its work undone.
    if (run.isCancelled) return 'late'
    if (failure !== null) return failures.end(work, run, failure.error)
    this.#measure(run)
    return 'handled'
  }

  #measure({ partition, startedAt }: HandlerRun): void {
    const { metrics, clock } = this.#options
    if (metrics === noMetrics) return
    const seconds = (clock.now() - startedAt) / 1000
    metrics.observe('tidemark_consumer_handle_seconds', { topic: partition.topic }, seconds)
  }
}

function callOf(handling: Handling, middleware: readonly Middleware[]): Call {
  if (handling.kind === 'each') {
    const handle = compose(middleware, handling.handle)
    return (work, run) => handle(work.messages as Message, run)
  }
  const handleBatch = compose(middleware, handling.handleBatch)
  return (work, run) => handleBatch(work.messages as readonly Message[], run)
}

/** Handlers may return any promise-like thing; what is not one means done. */
function isPromise(value: void | Promise<void>): value is Promise<void> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}
