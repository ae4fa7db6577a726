import type { DriverTransactions, TransactionEnd } from '../driver/transactions.js'
import { SendError, StateError, TidemarkError, TimeoutError, TransactionError } from '../errors.js'
import type { Producer } from '../producer/producer.js'
import type { CallMark } from '../runtime/callers.js'
import type { Clock } from '../runtime/clock.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import { OpenTransaction, type Transaction } from './transaction.js'

export interface RunnerParts {
  readonly id: string
  readonly producer: Producer
  readonly transactions: DriverTransactions
  readonly clock: Clock
  /** Stands in the stack of every handler of a transaction. */
  readonly mark: CallMark
  /** How long a transaction may wait until it begins. */
  readonly beginMs: number
  /** Aborts what is under way, unless its commit was asked for. */
  readonly closed: AbortSignal
}

export interface RunLimits {
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

type Handle<Result> = (transaction: Transaction) => Promise<Result> | Result

/** How long the end of a transaction is asked for before it counts as unknown. */
const endMs = 30_000

/**
 * The transactions of one transactional id, one after the other. Each goes through
 *
 * | step      | ends it early, as aborted                              | else leaves to |
 * |-----------|--------------------------------------------------------|----------------|
 * | its turn  | signal, close, `beginMs`                               | begin          |
 * | begin     | signal, close; whatever keeps the id from us           | handler        |
 * | handler   | it throws; signal, close; `timeoutMs`                  | sends          |
 * | sends     | one that failed; signal, close; `timeoutMs`            | commit         |
 * | commit    | –, it says what became of it: committed, aborted, unknown | –           |
 */
export class TransactionRunner {
  readonly #parts: RunnerParts
  /** Ends when the last one that came has ended. Never rejects. */
  #last: Promise<unknown> = Promise.resolve()
  /** A begin that nobody waits for any more; the next one comes after it. Never rejects. */
  #left: Promise<unknown> = Promise.resolve()

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  /** @throws TransactionError unless it was committed */
  async run<Result>(handle: Handle<Result>, { timeoutMs, signal }: RunLimits): Promise<Result> {
    const { closed } = this.#parts
    const limits = { timeoutMs, signal: signal === undefined ? closed : AbortSignal.any([signal, closed]) }
    const before = this.#last
    let ended!: () => void
    const own = new Promise<void>((resolve) => (ended = resolve))
    this.#last = Promise.all([before, own])
    try {
      await this.#begin(before, limits)
      return await this.#handle(handle, limits)
    } finally {
      void this.#left.then(ended)
    }
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    await this.#last
  }

  async #begin(before: Promise<unknown>, { timeoutMs, signal }: RunLimits): Promise<void> {
    const { id, clock, beginMs, transactions } = this.#parts
    const deadline = clock.now() + beginMs
    const busy = () => {
      throw new TimeoutError('transaction-busy', `the transaction of "${id}" before it has not ended for ${beginMs} ms`)
    }
    try {
      await withinDeadline(before, { clock, deadline, signal, onLate: busy })
      const begun = transactions.begin(timeoutMs, deadline)
      await withinDeadline(begun, { clock, deadline: Infinity, signal, onLate: busy }).catch((error: unknown) => {
        if (signal?.aborted === true) this.#left = this.#abortWhenBegun(begun)
        throw error
      })
    } catch (cause) {
      throw this.#aborted(cause, signal, 'was not begun')
    }
  }

  /** Never rejects. */
  async #abortWhenBegun(begun: Promise<void>): Promise<void> {
    const { transactions, clock } = this.#parts
    await begun.then(
      () => transactions.abort(clock.now() + endMs),
      () => undefined, // whoever begins next is told
    )
  }

  async #handle<Result>(handle: Handle<Result>, { timeoutMs, signal }: RunLimits): Promise<Result> {
    const { id, producer, transactions, clock, mark } = this.#parts
    const transaction = new OpenTransaction(id, producer)
    const until = { clock, deadline: clock.now() + timeoutMs, signal, onLate: () => this.#late(timeoutMs) }
    let result: Result
    try {
      result = await withinDeadline((async () => mark.calling(handle)(transaction, undefined))(), until)
      await withinDeadline(transaction.settled(), until)
      transaction.end()
      await transaction.settled()
      if (transaction.failure !== null) throw transaction.failure
    } catch (cause) {
      throw await this.#abort(transaction, cause, signal)
    }
    return this.#tell(await transactions.commit(clock.now() + endMs), result)
  }

  async #abort(
    transaction: OpenTransaction,
    cause: unknown,
    signal: AbortSignal | undefined,
  ): Promise<TransactionError> {
    const { producer, transactions, clock } = this.#parts
    const error = this.#aborted(transaction.failure ?? cause, signal, 'was aborted')
    transaction.cut(error)
    transactions.fail(error)
    await producer.giveUpWaiting((topic) => this.#notSent(topic))
    await transaction.settled()
    const graver = await transactions.abort(clock.now() + endMs)
    return graver === null ? error : this.#aborted(graver, undefined, 'was aborted')
  }

  #tell<Result>(end: TransactionEnd, result: Result): Result {
    if (end.outcome === 'committed') return result
    if (end.outcome === 'aborted') throw this.#aborted(end.error, undefined, 'was aborted')
    const { id } = this.#parts
    const { error, resolved } = end
    const message = `${error.message}; outcome: unknown, it may be visible; error.resolution tells what became of it`
    throw new TransactionError(error.code, 'unknown', id, message, { cause: error, resolution: resolved })
  }

  #late(timeoutMs: number): never {
    const message = `its handler and sends had not ended after ${timeoutMs} ms (timeoutMs)`
    throw new TimeoutError('transaction-timeout', message)
  }

  #notSent(topic: string): SendError {
    const message = `a record for topic ${topic} was not sent: its transaction was aborted`
    return new SendError('transaction-aborted', 'not-stored', message, { topic })
  }

  #aborted(cause: unknown, signal: AbortSignal | undefined, how: string): TransactionError {
    const { id } = this.#parts
    const { closed } = this.#parts
    const isGivenUp = signal?.aborted === true && cause === signal.reason && cause !== closed.reason
    const known = cause instanceof TidemarkError && !isGivenUp ? cause : null
    const code = isGivenUp ? 'aborted' : (known?.code ?? 'handler-failed')
    const why = isGivenUp ? 'it was given up by its signal' : (known?.message ?? 'its handler failed (see cause)')
    const message = `the transaction of "${id}" ${how}: ${why}; outcome: aborted, nothing of it is visible to who reads committed records`
    return new TransactionError(code, 'aborted', id, message, { cause, retriable: known?.retriable ?? false })
  }
}

/** Throws when the code that asks runs inside the handler of a transaction. */
export function refuseNested(mark: CallMark): void {
  if (!mark.isWithin) return
  throw new StateError(
    'nested-transaction',
    'transaction was called inside the handler of another one; send everything by the outer one, or begin it afterwards',
  )
}
