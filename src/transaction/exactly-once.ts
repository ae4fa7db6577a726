import type { CommittedPartition } from '../connection/requests/offsets.js'
import type { Outputs } from '../consumer/handling/outputs.js'
import type { FailedRecord } from '../consumer/handling/failed-record.js'
import type { OwnedPartition } from '../consumer/partition/owned-partition.js'
import type { Work } from '../consumer/partition/work.js'
import type { LedgerFactory } from '../consumer/settling/ledger.js'
import type { DriverTransactions } from '../driver/transactions.js'
import { StateError } from '../errors.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { OutgoingRecord } from '../message/record.js'
import type { Producer } from '../producer/producer.js'
import type { Runtime } from '../runtime/runtime.js'
import type { Tracing } from '../telemetry/tracing.js'
import type { Topic } from '../topic/topic.js'
import { recordBound } from '../wire/growing-records.js'
import { HeldMemory, type HeldMemoryLimits } from './held-memory.js'
import { HeldSends, requireRoom, type HeldRecord, type HoldLimits, type JoinTransaction } from './held-sends.js'
import type { MemberTransactionsSettings, TransactionalMember } from './member.js'
import { MemberTransactions } from './member-transactions.js'
import type { Purpose } from './refusals.js'

export interface ExactlyOnceParts {
  readonly settings: MemberTransactionsSettings & Pick<HoldLimits, 'maxRequestBytes'> & HeldMemoryLimits
  readonly producer: Producer
  readonly transactions: DriverTransactions
  readonly runtime: Runtime
  readonly tracing: Tracing | undefined
  /** What the group has, when no open transaction holds offsets of these. */
  readonly committed: (partitions: readonly TopicPartition[]) => Promise<readonly CommittedPartition[]>
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
    const { settings, runtime, tracing } = parts
    const memory = new HeldMemory(settings, runtime.clock)
    const join: JoinTransaction = (work, held, bytes) => this.#requireLedger().join(work, held, bytes)
    this.outputs = { open: () => new HeldSends(settings, memory, runtime.clock, join, tracing) }
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

  readonly outputs: Outputs

  /** A dead letter goes with the transaction. */
  readonly publish = (topic: Topic, value: unknown, record: OutgoingRecord, failed: FailedRecord): Promise<void> => {
    const held = this.#heldOf({ topic, record, value, partition: undefined })
    return this.#joinInstead(failed.owned, failed.record.offset, held, 'letter')
  }

  /** So does what is tried again later. */
  readonly putOff = (
    topic: Topic<OutgoingRecord>,
    partition: number,
    record: OutgoingRecord,
    { partition: owned, firstRecord }: Work,
  ): Promise<void> => {
    const held = this.#heldOf({ topic, record, value: record, partition })
    return this.#joinInstead(owned, firstRecord.offset, held, 'retry')
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

  committed(partitions: readonly TopicPartition[]): Promise<readonly CommittedPartition[]> {
    return this.#parts.committed(partitions)
  }

  /** Never rejects. */
  async close(): Promise<void> {
    const { producer, transactions, runtime } = this.#parts
    await this.#ledger?.whenIdle()
    if (this.#isBegun) await transactions.abort(runtime.clock.now() + abortMs)
    this.#isBegun = false
    await producer.close({ timeoutMs: 0 })
  }

  #heldOf(what: Omit<HeldRecord, 'sizeBytes' | 'inContext'>): HeldRecord {
    return { ...what, sizeBytes: recordBound(what.record), inContext: this.#parts.tracing?.capture() }
  }

  async #joinInstead(owned: OwnedPartition, offset: number, held: HeldRecord, purpose: Purpose): Promise<void> {
    requireRoom(held, this.#parts.settings)
    const end = await this.#requireLedger().joinInstead(owned, offset, held, purpose)
    if (end === 'late') throw new StateError('partition-gone', `${owned.topic}-${owned.partition} is no longer ours`)
  }

  #requireLedger(): MemberTransactions {
    if (this.#ledger === null) throw new StateError('wrong-state', 'a transaction was asked for before the start')
    return this.#ledger
  }
}
