import { StateError, type TidemarkError } from '../../errors.js'
import { optionProblem } from '../../input/option-rules.js'
import type { Message } from '../../message/message.js'
import { timeoutRules, type TimeoutOption } from '../../producer/timeout-option.js'
import { deferred } from '../../runtime/deferred.js'
import type { EventOrder } from '../partition/event-order.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import type { Settlement } from '../partition/settlement.js'
import type { Batch } from './batch.js'
import type { HandlerCall } from './handler-call.js'
import type { ContextSend } from './handler.js'

/** Resolves when all that the partition has settled after `settled` is on record; rejects saying why it will not be. */
export type ConfirmPartition = (
  partition: OwnedPartition,
  timeoutMs: number | undefined,
  settled: Promise<void>,
) => Promise<void>

/**
 * A batch in the hands of a loop. For what delivers it, it is one call of a handler that ends when the loop says so.
 *
 * | it is     | `done`, `commit`                | `fail`     | its signal aborts, or the loop is left | the delivery has ended as     |
 * |-----------|---------------------------------|------------|----------------------------------------|-------------------------------|
 * | open      | settling                        | settling   | open; `done` has no effect any more    | over: timed out, given up     |
 * | settling  | `commit` waits for the end      | no effect  | what the delivery makes of it          | settled, or over              |
 * | settled   | `commit` waits for the broker   | no effect  | no effect                              |                               |
 * | over      | no effect, `commit` says why    | no effect  | no effect                              |                               |
 *
 * Whatever it is, when its loop goes on or is left, the call ends: nobody works for it any more.
 */
export class OpenBatch implements Batch {
  readonly topic: string
  readonly partition: number
  readonly #call: HandlerCall
  readonly #confirm: ConfirmPartition
  #state: 'open' | 'settling' | 'settled' | 'over' = 'open'
  readonly #handled = deferred<{ readonly error: unknown } | null>()
  readonly #ended = deferred<void>()
  /** Why it is over. */
  #problem: TidemarkError | null = null

  constructor(
    readonly messages: readonly Message[],
    call: HandlerCall,
    confirm: ConfirmPartition,
  ) {
    // As its messages: what comes back from a delay topic is told as where it came from.
    this.topic = messages[0]?.topic ?? call.partition.topic
    this.partition = call.partition.partition
    this.#call = call
    this.#confirm = confirm
  }

  /** What the call that it is was made for. */
  get work(): object {
    return this.#call.work
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  get attempt(): number {
    return this.#call.attempt
  }

  get deadline(): number {
    return this.#call.deadline
  }

  get order(): EventOrder | null {
    return this.#call.order
  }

  get send(): ContextSend {
    return this.#call.send
  }

  get isOpen(): boolean {
    return this.#state === 'open' && !this.#call.hasAborted
  }

  // These three may be taken out of the batch.
  readonly done = (): void => {
    this.#settle(null)
  }

  readonly fail = (error: unknown): void => {
    this.#settle({ error })
  }

  readonly commit = async (options: TimeoutOption = {}): Promise<void> => {
    const problem = optionProblem('commit', options, timeoutRules)
    if (problem !== null) throw problem
    const { partition } = this.#call
    if (this.#state === 'open' && this.#call.hasAborted) throw this.#asOver(this.#call.signal.reason)
    this.done()
    await this.#confirm(partition, options.timeoutMs, this.#whenSettled())
  }

  async #whenSettled(): Promise<void> {
    await this.#ended.promise
    if (this.#problem !== null) throw this.#problem
  }

  /** The handler's end, as the delivery sees it. */
  async whenHandled(): Promise<void> {
    const failure = await this.#handled.promise
    if (failure !== null) throw failure.error
  }

  /** The delivery has come to its end. */
  ended({ kind }: Settlement): void {
    if (this.#state === 'settled' || this.#state === 'over') return
    const isSettled = kind === 'handled'
    if (!isSettled) this.#problem = this.#call.hasAborted ? this.#asOver(this.#call.signal.reason) : this.#asFailed()
    this.#state = isSettled ? 'settled' : 'over'
    this.#ended.resolve()
  }

  /** Its loop works for it no longer. What counts no more ends; what is open stays so, for code that holds it. */
  letGo(): void {
    if (this.#call.hasAborted) this.#handled.resolve(null)
  }

  /** Its loop was left: what is not settled is handled again by whoever reads it next. */
  leave(): void {
    if (this.#state !== 'open') return
    this.#call.cancel(leftOpen(this.#call.partition))
    this.#handled.resolve(null)
  }

  #settle(failure: { readonly error: unknown } | null): void {
    if (this.#state !== 'open') return
    // Too late to count, but its end is waited for.
    if (!this.#call.hasAborted) this.#state = 'settling'
    this.#handled.resolve(failure)
  }

  #asOver(reason: unknown): TidemarkError {
    const { topic, partition } = this
    const { code, message } = reason as TidemarkError
    const offset = this.messages[0]?.offset
    return new StateError(code, `the batch of ${topic}-${partition} from offset ${offset} counts no more: ${message}`, {
      topic,
      partition,
      offset,
      cause: reason,
    })
  }

  #asFailed(): TidemarkError {
    const { topic, partition } = this
    const offset = this.messages[0]?.offset
    const message =
      `the batch of ${topic}-${partition} from offset ${offset} has failed, by fail() or because a send of it failed, so ` +
      'it is not committed as handled; what becomes of its records is told as for a handler that throws'
    return new StateError('batch-failed', message, { topic, partition, offset })
  }
}

function leftOpen({ topic, partition }: OwnedPartition): StateError {
  return new StateError(
    'loop-left',
    `the loop was left while a batch of ${topic}-${partition} was neither done nor committed`,
    {
      topic,
      partition,
    },
  )
}
