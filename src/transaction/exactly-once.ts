import type { Outputs } from '../consumer/handling/outputs.js'
import type { FailedRecord } from '../consumer/handling/failed-record.js'
import type { LedgerFactory } from '../consumer/settling/ledger.js'
import type { DriverTransactions } from '../driver/transactions.js'
import { StateError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import type { Producer } from '../producer/producer.js'
import type { Runtime } from '../runtime/runtime.js'
import type { Topic } from '../topic/topic.js'
import { recordBound } from '../wire/growing-records.js'
import { HeldSends, requireRoom, type HeldRecord, type HoldLimits } from './held-sends.js'
import type { MemberTransactionsSettings, TransactionalMember } from './member.js'
import { MemberTransactions } from './member-transactions.js'

export interface ExactlyOnceParts {
  readonly settings: MemberTransactionsSettings & Pick<HoldLimits, 'maxRequestBytes'>
  readonly producer: Producer
  readonly transactions: DriverTransactions
  readonly runtime: Runtime
}

/** How long a stop may take to abort what is left open. */
const abortMs = 5_000

/** What fills a consumer's slots so that what it sends, and its place in what it reads, go in one transaction. */
export class ExactlyOnce implements TransactionalMember {
  readonly #parts: ExactlyOnceParts
  #ledger: MemberTransactions | null = null
  #isBegun = false

  constructor(parts: ExactlyOnceParts) {
    this.#parts = parts
  }

  get producer(): Producer {
    return this.#parts.producer
  }

  get transactions(): DriverTransactions {
    return this.#parts.transactions
  }

  /** Of each start of the consumer. */
  readonly ledger: LedgerFactory = (parts) => {
    this.#ledger = new MemberTransactions(this.#parts.settings, parts, this)
    return this.#ledger
  }

  readonly outputs: Outputs = {
    open: () => {
      const { settings, runtime } = this.#parts
      return new HeldSends(settings, runtime.clock, (work, held, bytes) =>
        this.#requireLedger().join(work, held, bytes),
      )
    },
  }

  /** A dead letter, or a record on its way to another attempt, which goes with the transaction. */
  readonly publish = async (
    topic: Topic,
    value: unknown,
    record: OutgoingRecord,
    failed: FailedRecord,
  ): Promise<void> => {
    const ledger = this.#requireLedger()
    const held: HeldRecord = { topic, record, value, partition: undefined, sizeBytes: recordBound(record) }
    requireRoom(held, this.#parts.settings)
    const end = await ledger.joinLetter(failed, failed.record.offset, held)
    if (end === 'late') throw new StateError('partition-gone', `${failed.topic}-${failed.partition} is no longer ours`)
  }

  /**
   * Takes the id over, which ends what a predecessor left open: before the group is asked where to start, since what that
   * had committed is not told until then.
   */
  async begin(deadline: number): Promise<void> {
    if (this.#isBegun) return
    await this.#parts.transactions.begin(this.#parts.settings.timeoutMs, deadline)
    this.#isBegun = true
  }

  ended(): void {
    this.#isBegun = false
  }

  /** Never rejects. */
  async close(): Promise<void> {
    const { producer, transactions, runtime } = this.#parts
    await this.#ledger?.whenIdle()
    if (this.#isBegun) await transactions.abort(runtime.clock.now() + abortMs)
    this.#isBegun = false
    await producer.close({ timeoutMs: 0 })
  }

  #requireLedger(): MemberTransactions {
    if (this.#ledger === null) throw new StateError('wrong-state', 'a transaction was asked for before the start')
    return this.#ledger
  }
}
