import type { Message } from '../../message/message.js'
import type { SendOptions } from '../../producer/outgoing-record.js'
import type { Receipt } from '../../producer/receipt.js'
import type { Topic } from '../../topic/topic.js'
import type { EventOrder } from '../partition/event-order.js'

/** What a handler is given beside its message. */
export interface HandlerContext {
  /**
   * Aborts when the result no longer counts: the deadline passed, the partition was taken away and the time to finish is
   * over, or the consumer was stopped by force. Hand it to everything that waits.
   */
  readonly signal: AbortSignal
  /** 1 for the first attempt; a record that was tried before and sent back (header `td-attempt`) goes on counting. */
  readonly attempt: number
  /**
   * When the attempt counts as failed, as wall time (compare with `Date.now()`); counted from its start, not from the
   * receipt of the record. Setting the clock of the machine moves this number, not the time that is left.
   */
  readonly deadline: number
  /**
   * How the record stands in the order of event time; `null` without `reorder`. Of a batch: its first record; a late record is
   * a batch of its own.
   */
  readonly order: EventOrder | null
  /**
   * Sends as `producer.send` does, under the profile of the consumer. A record counts as handled when its handler, all its
   * sends and what was chained to them have ended; a send that fails, and whose rejection nobody takes, fails the record.
   * Once all of that has ended, or is waited for no longer, it rejects with `StateError` `handler-ended`, and nothing is sent.
   *
   * Under the profile `transactional` the record is taken as it is and goes out when the handler has succeeded, in one
   * transaction with the place of what was handled; of a handler that fails nothing goes out. The receipt comes at once, with
   * `offset: null`, and `partition: -1` unless the call names one. `SendError` `transaction-too-large` beyond `transaction.maxBytes`.
   */
  readonly send: <Value>(topic: Topic<Value>, value: Value, options?: SendOptions) => Promise<Receipt>
}

export type ContextSend = HandlerContext['send']

/**
 * Handles one message, or one batch. Returning means done, throwing means failed; `DeadLetter` and `Discard` choose the
 * fate of the record. Called at least once for every record: make effects repeatable.
 */
export type Handler<Input> = (input: Input, context: HandlerContext) => void | Promise<void>

/**
 * Wraps every call of the handler: its messages (one, or a batch of one partition) and `next`, which runs what is inside.
 * Inside the deadline of one attempt: a retry goes through all of it again. Throw to fail the attempt; what cannot be
 * decoded never comes here. When it ends well without having called `next`, the attempt has failed: throw `Discard` to drop.
 * The attempt ends when all that `next` began has ended; a failure of it that middleware did not wait for fails the attempt.
 *
 * @example
 * const timed: Middleware = async ([first], context, next) => {
 *   const startedAt = performance.now()
 *   await next()
 *   observe(first.topic, performance.now() - startedAt)
 * }
 */
export type Middleware = (
  messages: readonly Message[],
  context: HandlerContext,
  next: () => void | Promise<void>,
) => void | Promise<void>
