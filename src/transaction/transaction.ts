import { StateError, type TidemarkError } from '../errors.js'
import type { SendOptions } from '../producer/outgoing-record.js'
import type { Producer } from '../producer/producer.js'
import type { Receipt } from '../producer/receipt.js'
import type { SendManyOptions } from '../producer/send-many.js'
import type { Topic } from '../topic/topic.js'

/** One transaction, while its handler runs: what is sent by it becomes visible together, or not at all. */
export interface Transaction {
  readonly id: string
  /** Aborted when the transaction ends before its handler does: its time is over, or it was given up. */
  readonly signal: AbortSignal
  /**
   * As `producer.send`. The receipt says where the record is stored; readers of committed records see it after the commit.
   * A send that fails makes the whole transaction abort, whether it is awaited or not. With `StateError` after its end.
   */
  send<Value>(topic: Topic<Value>, value: Value, options?: SendOptions): Promise<Receipt>
  /** As `producer.sendMany`, by the rules of `send`. */
  sendMany<Value>(
    topic: Topic<Value>,
    values: readonly NoInfer<Value>[],
    options?: SendManyOptions,
  ): Promise<readonly Receipt[]>
}

/** The transaction that a handler is given, and what of its sends its end has to know. */
export class OpenTransaction implements Transaction {
  readonly #producer: Producer
  readonly #ended = new AbortController()
  readonly #sends = new Set<Promise<unknown>>()
  #state: 'open' | 'ended' = 'open'
  #failure: TidemarkError | null = null

  constructor(
    readonly id: string,
    producer: Producer,
  ) {
    this.#producer = producer
  }

  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** Of the first send that failed. */
  get failure(): TidemarkError | null {
    return this.#failure
  }

  send<Value>(topic: Topic<Value>, value: Value, options?: SendOptions): Promise<Receipt> {
    if (this.#state === 'ended') return Promise.reject(this.#over('send'))
    return this.#track(this.#producer.send(topic, value, options))
  }

  sendMany<Value>(
    topic: Topic<Value>,
    values: readonly NoInfer<Value>[],
    options?: SendManyOptions,
  ): Promise<readonly Receipt[]> {
    if (this.#state === 'ended') return Promise.reject(this.#over('sendMany'))
    return this.#track(this.#producer.sendMany(topic, values, options))
  }

  /** Every send has its outcome, those too that nobody awaits. */
  async settled(): Promise<void> {
    while (this.#sends.size > 0) await Promise.allSettled(this.#sends)
  }

  /** Nothing joins any more. */
  end(): void {
    this.#state = 'ended'
  }

  /** It ends before its handler does. */
  cut(reason: TidemarkError): void {
    this.end()
    this.#ended.abort(reason)
  }

  #track<Outcome>(sending: Promise<Outcome>): Promise<Outcome> {
    this.#sends.add(sending)
    sending.then(
      () => this.#sends.delete(sending),
      (error: TidemarkError) => {
        this.#failure ??= error
        this.#sends.delete(sending)
      },
    )
    return sending
  }

  #over(action: string): StateError {
    const message = `${action} was called on a transaction of "${this.id}" that has ended; await every send inside the handler`
    return new StateError('transaction-ended', message)
  }
}
