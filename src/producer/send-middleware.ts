import { SendError, StateError } from '../errors.js'
import { isRecord } from '../input/shapes.js'
import { thrownName } from '../runtime/thrown.js'
import type { Topic } from '../topic/topic.js'
import type { SendOptions } from './outgoing-record.js'
import type { Receipt } from './receipt.js'
import type { SendManyOptions } from './send-many.js'
import { SendManyError } from './send-many-error.js'

/** One send, before its record is made. */
export interface Sending<Value = unknown> {
  readonly topic: Topic<Value>
  readonly value: Value
  readonly options: SendOptions
}

export type SendNext = (sending: Sending) => Promise<Receipt>

/**
 * Wraps every send of a producer; `next` runs what is inside, with this or another sending, and may be called again.
 *
 * The record takes its place in its partition when the innermost `next` is called: call it before the first `await`, or
 * sends may overtake each other, and what the caller changes meanwhile is sent changed. `timeoutMs` and `signal` of the send
 * count from there too.
 *
 * @example
 * const tenant: SendMiddleware = ({ topic, value, options }, next) =>
 *   next({ topic, value, options: { ...options, headers: { tenant: 'a' } } })
 */
export type SendMiddleware = (sending: Sending, next: SendNext) => Promise<Receipt>

/**
 * | what middleware throws, or `next` was | then the send rejects with |
 * |---------------------------------------|----------------------------|
 * | a `SendError`                          | it, as it is |
 * | anything else, and never called        | `SendError` `middleware-failed`, `not-stored` |
 * | anything else, after it was called     | the same, `unknown`: the record may be stored, or still be |
 * | nothing, and resolves to no receipt, never having called it | the same, `not-stored` |
 *
 * Middleware that called `next` and resolves to no receipt gives the one of `next`.
 */
export function throughMiddleware(middleware: readonly SendMiddleware[], send: SendNext): SendNext {
  return async (sending) => {
    let mayBeStored = false
    let stored: Receipt | undefined
    const innermost: SendNext = async (last) => {
      const sent = send(last)
      mayBeStored = true
      return (stored = await sent)
    }
    const whole = middleware.reduceRight<SendNext>((next, wrap) => async (one) => wrap(one, next), innermost)
    try {
      const receipt: unknown = await whole(sending)
      if (isReceipt(receipt)) return receipt
      if (stored !== undefined) return stored
      throw new TypeError('it resolved to no receipt; return what next(sending) gives')
    } catch (error) {
      throw honest(error, sending.topic, mayBeStored)
    }
  }
}

/** Each of the values as a send of its own, in order; ends as `sendMany` does. */
export async function manyThroughMiddleware<Value>(
  send: SendNext,
  topic: Topic<Value>,
  values: readonly Value[],
  options: SendManyOptions,
): Promise<readonly Receipt[]> {
  const ends = await Promise.allSettled(values.map((value) => send({ topic: topic as Topic, value, options })))
  const results = ends.map((end) => (end.status === 'fulfilled' ? end.value : (end.reason as SendError)))
  const stored = results.filter((result): result is Receipt => !(result instanceof Error))
  if (stored.length === results.length) return stored
  const other = results.find((result) => result instanceof StateError)
  throw other ?? new SendManyError(results)
}

function isReceipt(given: unknown): given is Receipt {
  return isRecord(given) && typeof given['topic'] === 'string' && typeof given['partition'] === 'number'
}

function honest(error: unknown, topic: Topic, mayBeStored: boolean): unknown {
  if (error instanceof SendError || error instanceof StateError) return error
  const end = mayBeStored ? 'after it had sent it, so the record may be stored' : 'before it sent it'
  return new SendError(
    'middleware-failed',
    mayBeStored ? 'unknown' : 'not-stored',
    `middleware of a send to ${topic?.name} threw ${thrownName(error)} ${end}; see cause`,
    { cause: error, topic: topic?.name },
  )
}
