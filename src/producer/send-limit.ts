import { SendError } from '../errors.js'
import type { Clock, Timer } from '../runtime/clock.js'
import { onAbort } from '../runtime/on-abort.js'
import type { Receipt, ReceiptSink, RecordPlace } from './receipt.js'

/** How long a caller waits for the outcome of a send. */
export interface SendLimitOptions {
  /**
   * Most time until the outcome, in milliseconds from now; `Infinity` for no other limit than `deliveryTimeoutMs`. Past it
   * the send rejects with code `send-timeout`: `not-stored` when nothing of the record was written to a socket, which then
   * never will be, `unknown` when it was and no answer came yet.
   */
  readonly timeoutMs?: number | undefined
  /** Aborting it gives the send up like `timeoutMs`, with code `aborted` and the signal's reason as `cause`. */
  readonly signal?: AbortSignal | undefined
}

/** Why a send was given up. */
export type GivenUp = { readonly afterMs: number } | { readonly reason: unknown }

/**
 * The records of one call, which are given up together. Each is at one place at a time:
 *
 * | it                            | taken back                       | told                                     |
 * |-------------------------------|----------------------------------|------------------------------------------|
 * | waits for memory              | leaves the line                  | `not-stored`, at once                    |
 * | waits for its topic           | leaves those who wait            | `not-stored`, at once                    |
 * | waits in its queue            | is left out when the batch goes  | `not-stored`, at once                    |
 * | with the driver, not written  | the batch comes back, without it | `not-stored`, when the driver gives it back |
 * | may be written                | cannot be                        | `unknown`, at once; it may be stored yet |
 *
 * What ends in any other way before that, ends so.
 */
export class SendLimit implements ReceiptSink {
  readonly #topic: string
  readonly #sink: ReceiptSink
  /** Records without an end, by slot, with the place where each waits; `null` for none but the line. */
  readonly #open = new Map<number, RecordPlace | null>()
  readonly #timer: Timer | null
  readonly #stopListening: (() => void) | undefined
  #leaveLine: (() => void) | null = null
  #givenUp: GivenUp | null = null

  constructor(topic: string, sink: ReceiptSink, count: number, clock: Clock, options: SendLimitOptions) {
    const { timeoutMs = Infinity, signal } = options
    this.#topic = topic
    this.#sink = sink
    for (let slot = 0; slot < count; slot += 1) this.#open.set(slot, null)
    this.#timer = timeoutMs === Infinity ? null : clock.setTimer(timeoutMs, () => this.#giveUp({ afterMs: timeoutMs }))
    if (signal === undefined) return
    // The call that aborts may stand in the middle of a change: a partitioner, a serde.
    this.#stopListening = onAbort(signal, () => queueMicrotask(() => this.#giveUp({ reason: signal.reason })))
  }

  stored(slot: number, receipt: Receipt): void {
    if (this.#end(slot)) this.#sink.stored(slot, receipt)
  }

  failed(slot: number, error: SendError): void {
    if (!this.#end(slot)) return
    this.#sink.failed(slot, this.#givenUp === null ? error : givenUpError(this.#topic, this.#givenUp, error.outcome))
  }

  joined(slot: number, place: RecordPlace): void {
    if (this.#open.has(slot)) this.#open.set(slot, place)
    // It ended already, and would be sent again in another batch.
    else place.takeBack()
  }

  /** What has no other place waits in the line for memory. */
  joinedLine(leave: () => void): void {
    this.#leaveLine = leave
  }

  #giveUp(why: GivenUp): void {
    if (this.#givenUp !== null || this.#open.size === 0) return
    this.#givenUp = why
    this.#leaveLine?.()
    for (const slot of [...this.#open.keys()]) {
      // Taking one back may bring the others to another place.
      const taken = this.#open.get(slot)?.takeBack() ?? 'left'
      if (taken === 'leaving' || !this.#end(slot)) continue
      this.#sink.failed(slot, givenUpError(this.#topic, why, taken === 'left' ? 'not-stored' : 'unknown'))
    }
  }

  #end(slot: number): boolean {
    if (!this.#open.delete(slot)) return false
    if (this.#open.size > 0) return true
    this.#timer?.cancel()
    this.#stopListening?.()
    return true
  }
}

export function givenUpError(topic: string, why: GivenUp, outcome: SendError['outcome']): SendError {
  const isLate = 'afterMs' in why
  const verdict =
    outcome === 'not-stored'
      ? 'not stored, and it will not be'
      : 'unknown, the broker may have it or get it; send it again only with an id that the reader de-duplicates'
  const how = isLate ? `had no outcome after ${why.afterMs} ms (timeoutMs)` : 'was given up by its signal'
  return new SendError(
    isLate ? 'send-timeout' : 'aborted',
    outcome,
    `a send to topic ${topic} ${how}; outcome: ${verdict}`,
    { topic, retriable: isLate && outcome === 'not-stored', cause: isLate ? undefined : why.reason },
  )
}
