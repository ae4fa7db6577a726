import type { DriverTransactions } from '../driver/transactions.js'
import { StateError } from '../errors.js'
import type { Producer } from '../producer/producer.js'
import { CallMark } from '../runtime/callers.js'
import type { Clock } from '../runtime/clock.js'
import type { Transaction } from './transaction.js'
import { refuseNested, TransactionRunner, type RunLimits } from './transaction-runner.js'

/** A producer that sends in transactions alone. */
export interface TransactionalParts {
  readonly producer: Producer
  readonly transactions: DriverTransactions
}

/** The transactional ids of one messaging: each has a producer of its own, made when it is first used. */
export class TransactionRunners {
  readonly #make: (id: string) => TransactionalParts
  readonly #clock: Clock
  readonly #beginMs: number
  readonly #runners = new Map<string, TransactionRunner>()
  readonly #mark = new CallMark()
  readonly #closed = new AbortController()

  constructor(make: (id: string) => TransactionalParts, clock: Clock, beginMs: number) {
    this.#make = make
    this.#clock = clock
    this.#beginMs = beginMs
  }

  async run<Result>(
    id: string,
    handle: (transaction: Transaction) => Promise<Result> | Result,
    limits: RunLimits,
  ): Promise<Result> {
    if (this.#runners.size > 0) refuseNested(this.#mark)
    return this.#runner(id).run(handle, limits)
  }

  /** Aborts those that are under way, unless their commit was asked for. */
  close(): void {
    this.#closed.abort(new StateError('closed', 'the messaging was closed before its handler and sends had ended'))
  }

  /** Resolves when no transaction is under way. */
  async idle(): Promise<void> {
    await Promise.all([...this.#runners.values()].map((runner) => runner.idle()))
  }

  #runner(id: string): TransactionRunner {
    let runner = this.#runners.get(id)
    if (runner === undefined) {
      const own = { clock: this.#clock, mark: this.#mark, beginMs: this.#beginMs, closed: this.#closed.signal }
      runner = new TransactionRunner({ id, ...this.#make(id), ...own })
      this.#runners.set(id, runner)
    }
    return runner
  }
}
