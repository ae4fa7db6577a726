import { SendError, StateError } from '../errors.js'
import { isRecord } from '../input/shapes.js'
import type { Clock } from '../runtime/clock.js'
import { onAbort } from '../runtime/on-abort.js'
import { thrownName } from '../runtime/thrown.js'
import type { Topic } from '../topic/topic.js'
import type { SendOptions } from './outgoing-record.js'
import type { Receipt } from './receipt.js'
import { givenUpError, type GivenUp } from './send-limit.js'
import type { SendManyOptions } from './send-many.js'
import { SendManyError } from './send-many-error.js'

/** One send, before its record is made. */
export interface Sending<Value = unknown> {
  readonly topic: Topic<Value>
  readonly value: Value
  readonly options: SendOptions
}

/** Sends what is inside of a middleware; ends as the send does. */
export type SendNext = (sending: Sending) => Promise<Receipt>

/**
 * Wraps every send of a producer; `next` runs what is inside, with this or another sending, and may be called again.
 *
 * The record takes its place in its partition when the innermost `next` is called: call it before the first `await`, or
 * sends may overtake each other, and what the caller changes meanwhile is sent changed. `timeoutMs` and `signal` of the send
 * bound all of it, middleware included.
 *
 * @example
 * const tenant: SendMiddleware = ({ topic, value, options }, next) =>
 *   next({ topic, value, options: { ...options, headers: { tenant: 'a' } } })
 */
export type SendMiddleware = (sending: Sending, next: SendNext) => Promise<Receipt>

/**
 * | middleware                            | calls of `next`                     | then the send |
 * |---------------------------------------|-------------------------------------|---------------|
 * | resolves to a receipt                 | whatever                            | resolves to it |
 * | resolves to anything else             | the last one stored the record, or is under way | ends as that one does |
 * | resolves to anything else             | none, or all ended `not-stored`     | `middleware-failed`, `not-stored` |
 * | throws a `SendError` or `StateError`  | none, or all ended `not-stored`     | rejects with it, as it is |
 * | throws a `SendError` or `StateError`  | one may have stored the record      | rejects with it, as `unknown` |
 * | throws anything else                  | none, or all ended `not-stored`     | `middleware-failed`, `not-stored` |
 * | throws anything else                  | one may have stored the record      | `middleware-failed`, `unknown` |
 * | has not ended at `timeoutMs`, or when `signal` aborts | whatever            | ends as the last call does; without one it is `not-stored`. A later call of `next` sends nothing |
 */
export function throughMiddleware(middleware: readonly SendMiddleware[], send: SendNext, clock: Clock): SendNext {
  return (sending) => {
    const passage = new Passage(sending, send, clock)
    const whole = middleware.reduceRight<SendNext>(
      (next, wrap) => (one) => heard((async () => wrap(one, next))()),
      passage.next,
    )
    return passage.end(whole(sending))
  }
}

/** What nobody looks at is told by the send itself, and ends no process. */
function heard(sent: Promise<Receipt>): Promise<Receipt> {
  sent.catch(() => undefined)
  return sent
}

/** One send on its way through middleware. */
class Passage {
  readonly #sending: Sending
  readonly #send: SendNext
  readonly #clock: Clock
  readonly #limit: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined }
  readonly #endsAt: number
  #last: Promise<Receipt> | null = null
  /** Calls of `next` that have not ended `not-stored`. */
  #mayHaveStored = 0
  #givenUp: SendError | null = null

  constructor(sending: Sending, send: SendNext, clock: Clock) {
    this.#sending = sending
    this.#send = send
    this.#clock = clock
    this.#limit = limitOf(sending.options)
    this.#endsAt = clock.now() + this.#limit.timeoutMs
  }

  /** The innermost. */
  readonly next: SendNext = (sending) => heard(this.#sendOnce(sending))

  /** @param whole as the outermost middleware ends */
  async end(whole: Promise<Receipt>): Promise<Receipt> {
    try {
      const receipt: unknown = await this.#withinLimit(whole)
      if (isReceipt(receipt)) return receipt
      if (this.#last !== null && this.#mayHaveStored > 0) return await this.#last
      throw new TypeError('it resolved to no receipt; return what next(sending) gives')
    } catch (error) {
      throw this.#honest(error)
    }
  }

  async #sendOnce(sending: Sending): Promise<Receipt> {
    if (this.#givenUp !== null) throw this.#givenUp
    const sent = this.#send(this.#inWhatIsLeft(sending))
    this.#last = sent
    this.#mayHaveStored += 1
    try {
      return await sent
    } catch (error) {
      if (isNotStored(error)) this.#mayHaveStored -= 1
      throw error
    }
  }

  /** The limit counts from the call of `send`, whatever middleware makes of the options. */
  #inWhatIsLeft(sending: Sending): Sending {
    const { timeoutMs, signal } = this.#limit
    if (timeoutMs === Infinity && signal === undefined) return sending
    const { options } = sending
    const own = limitOf(options)
    const leftMs = Math.max(0, this.#endsAt - this.#clock.now())
    return {
      ...sending,
      options: {
        ...options,
        ...(leftMs < own.timeoutMs && { timeoutMs: leftMs }),
        ...(signal !== undefined && { signal: both(signal, own.signal) }),
      },
    }
  }

  #withinLimit(whole: Promise<Receipt>): Promise<Receipt> {
    const { timeoutMs, signal } = this.#limit
    if (timeoutMs === Infinity && signal === undefined) return whole
    return new Promise<Receipt>((resolve, reject) => {
      const over = () => {
        timer?.cancel()
        stopListening?.()
      }
      const giveUp = (why: GivenUp) => {
        over()
        this.#givenUp = givenUpError(this.#sending.topic.name, why, 'not-stored')
        if (this.#last === null) reject(this.#givenUp)
        else this.#last.then(resolve, reject)
      }
      const byTime = () => giveUp({ afterMs: timeoutMs })
      const bySignal = () => giveUp({ reason: signal?.reason as unknown })
      const timer = timeoutMs === Infinity ? null : this.#clock.setTimer(timeoutMs, byTime)
      const stopListening = signal === undefined ? undefined : onAbort(signal, bySignal)
      if (signal?.aborted === true) bySignal()
      whole.finally(over).then(resolve, reject)
    })
  }

  #honest(error: unknown): unknown {
    const { topic } = this.#sending
    const isOurs = error instanceof SendError || error instanceof StateError
    if (isOurs && !(isNotStored(error) && this.#mayHaveStored > 0)) return error
    const isUnknown = this.#mayHaveStored > 0
    const end = isUnknown ? 'after it had sent it, so the record may be stored' : 'and nothing was stored'
    return new SendError(
      isOurs ? error.code : 'middleware-failed',
      isUnknown ? 'unknown' : 'not-stored',
      `middleware of a send to ${topic?.name} threw ${thrownName(error)}, ${end}; see cause`,
      { cause: error, topic: topic?.name },
    )
  }
}

/** What is no limit is refused where the record is made. */
function limitOf(options: unknown): { readonly timeoutMs: number; readonly signal: AbortSignal | undefined } {
  const { timeoutMs, signal } = isRecord(options) ? options : {}
  return {
    timeoutMs: typeof timeoutMs === 'number' && timeoutMs >= 0 ? timeoutMs : Infinity,
    signal: signal instanceof AbortSignal ? signal : undefined,
  }
}

function both(one: AbortSignal, other: AbortSignal | undefined): AbortSignal {
  return other === undefined || other === one ? one : AbortSignal.any([one, other])
}

function isNotStored(error: unknown): boolean {
  return error instanceof SendError ? error.outcome === 'not-stored' : error instanceof StateError
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
