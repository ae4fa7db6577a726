import type { TransactionVersion } from '../../connection/requests/transactions.js'
import { DriverError, type TidemarkError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type {
  Identity,
  IdentityRefusal,
  IdentityWaiter,
  PartitionIdentity,
  Stamp,
  TransactionMark,
} from '../produce/identity.js'
import type { ProducerIdentity } from '../produce/partition-sequence.js'

/** Sequences are 31 bits wide and wrap to 0. */
const sequenceCount = 2 ** 31

/** What a coordinator may know of our last transaction under its epoch: that it was open, that it was not, or nobody told us which. */
export type OpenAsTold = 'open' | 'not-open' | 'not-told'

/** Brings partitions into an open transaction, before the first record is written to them. */
export interface Joins {
  add(partition: TransactionalPartition): void
  remove(partition: TransactionalPartition): void
}

/**
 * The identity of a producer with transactions: one id and epoch for all partitions, in which doubt of any batch ends the
 * whole transaction.
 *
 * | phase    | batches                                | leaves to                                     |
 * |----------|----------------------------------------|-----------------------------------------------|
 * | `none`   | are refused                            | open (`begin`)                                |
 * | `open`   | go, once their partition has joined    | failed (`fail`), none (`finish`)              |
 * | `failed` | are refused; those that are out end    | none (`finish`)                               |
 */
export class TransactionalIdentity implements Identity {
  readonly #transactionalId: string
  readonly #partitions = new Map<string, TransactionalPartition[]>()
  #phase: 'none' | 'open' | 'failed' = 'none'
  #owner: ProducerIdentity = { producerId: -1, producerEpoch: -1 }
  #version: TransactionVersion = 1
  #transaction: TransactionMark | null = null
  #failure: TidemarkError | null = null
  /** Those that have records, or may have. */
  #joined = new Set<TransactionalPartition>()
  #started = false
  #isTakenIn = false
  #straggles = false
  #end: 'not-asked' | 'in-doubt' | 'told' = 'not-asked'
  #joins: Joins | null = null

  constructor(transactionalId: string) {
    this.#transactionalId = transactionalId
  }

  /** Set once, before anything is sent. */
  set joins(joins: Joins) {
    this.#joins = joins
  }

  get transaction(): TransactionMark | null {
    return this.#transaction
  }

  get version(): TransactionVersion {
    return this.#version
  }

  get owner(): ProducerIdentity {
    return this.#owner
  }

  isUnder({ producerId, producerEpoch }: ProducerIdentity): boolean {
    return producerId === this.#owner.producerId && producerEpoch === this.#owner.producerEpoch
  }

  get failure(): TidemarkError | null {
    return this.#failure
  }

  get isOpen(): boolean {
    return this.#phase === 'open'
  }

  /** The coordinator may know of the transaction, so its end has to be asked for. */
  get hasStarted(): boolean {
    return this.#started
  }

  /** A record or an offset of it was taken in, so its coordinator had it open. */
  get isTakenIn(): boolean {
    return this.#isTakenIn
  }

  takenIn(): void {
    this.#isTakenIn = true
  }

  /**
   * Version 1: some partition has joined it, and no end was carried out; a straggler may have opened it again. Version 2, where
   * every end raises the epoch: whether it was ever open under this one.
   */
  get openAsTold(): OpenAsTold {
    if (this.#version === 2) {
      if (this.#end === 'told' || !this.#started) return 'not-open'
      return this.#isTakenIn ? 'open' : 'not-told'
    }
    const hasJoined = this.#joined.size > 0
    if (hasJoined && this.#end === 'not-asked') return 'open'
    if (this.#straggles || (hasJoined && this.#end === 'in-doubt')) return 'not-told'
    return 'not-open'
  }

  /** Its end was asked for, and was carried out, or may have been. */
  ended(end: 'in-doubt' | 'told'): void {
    this.#end = end
  }

  of({ topic, partition }: TopicPartition): TransactionalPartition {
    let partitions = this.#partitions.get(topic)
    if (partitions === undefined) this.#partitions.set(topic, (partitions = []))
    return (partitions[partition] ??= new TransactionalPartition({ topic, partition }, this))
  }

  begin(owner: ProducerIdentity, version: TransactionVersion): void {
    this.#owner = owner
    this.#version = version
    this.#transaction = { transactionalId: this.#transactionalId, version }
    this.#failure = null
    this.#joined = new Set()
    this.#started = false
    this.#isTakenIn = false
    this.#straggles = false
    this.#end = 'not-asked'
    this.#phase = 'open'
  }

  /** A request of it may be carried out yet, when the next one is open. */
  get mayHaveStragglers(): boolean {
    return this.#straggles
  }

  straggles(): void {
    this.#straggles = true
  }

  /** Whatever is asked of coordinators or leaders from now on may be carried out. */
  start(): void {
    this.#started = true
  }

  /** The first reason stays. */
  fail(reason: TidemarkError): void {
    if (this.#phase !== 'open') return
    this.#phase = 'failed'
    this.#failure = reason
    for (const partitions of this.#partitions.values()) {
      for (const partition of partitions) partition?.refuse()
    }
  }

  /** No batch is out. @returns some record that was stored in it, by which its end can be seen. */
  finish(): StoredRecord | null {
    this.#phase = 'none'
    // Of every partition, so that none keeps one for the next transaction.
    const stored = [...this.#joined].map((partition) => partition.takeFirstStored())
    return stored.find((record) => record !== null) ?? null
  }

  close(): void {
    this.fail(new DriverError('closed', 'the producer was closed'))
  }

  /** For its partitions: whether batches may go. */
  admit(partition: TransactionalPartition): 'yes' | 'not-yet' | 'never' {
    if (this.#phase !== 'open') return 'never'
    if (this.#joined.has(partition)) return 'yes'
    if (this.#version === 1) {
      this.#joins?.add(partition)
      return 'not-yet'
    }
    // A partition joins by being written to, and stays joined when the write fails.
    this.#started = true
    this.#joined.add(partition)
    return 'yes'
  }

  joined(partition: TransactionalPartition): void {
    this.#joined.add(partition)
    partition.tellReady()
  }

  noLongerWaits(partition: TransactionalPartition): void {
    this.#joins?.remove(partition)
  }

  refusal(): DriverError {
    const failure = this.#failure
    if (this.#phase === 'failed' && failure !== null) {
      const message = `the transaction is being aborted: ${failure.message}`
      return new DriverError('transaction-aborted', message, { cause: failure })
    }
    return new DriverError('no-transaction', 'this producer sends in transactions alone, and none is open')
  }
}

export interface StoredRecord extends TopicPartition {
  readonly offset: number
}

export class TransactionalPartition implements PartitionIdentity {
  readonly isTransactional = true
  readonly place: TopicPartition
  readonly #identity: TransactionalIdentity
  #waiter: IdentityWaiter | null = null
  /** Under which the next sequence counts; another one starts at 0. */
  #owner: ProducerIdentity | null = null
  #nextSequence = 0
  #firstStored: number | null = null

  constructor(place: TopicPartition, identity: TransactionalIdentity) {
    this.place = place
    this.#identity = identity
  }

  ready(waiter: IdentityWaiter): boolean {
    const admitted = this.#identity.admit(this)
    if (admitted === 'yes') return true
    this.#waiter = waiter
    // Not within the call: it does not wait yet.
    if (admitted === 'never') queueMicrotask(() => this.refuse())
    return false
  }

  stopWaiting(waiter: IdentityWaiter): void {
    if (this.#waiter !== waiter) return
    this.#waiter = null
    this.#identity.noLongerWaits(this)
  }

  tellReady(): void {
    this.#takeWaiter()?.identityReady()
  }

  tellDelayed(problem: DriverError): void {
    this.#waiter?.identityDelayed(problem)
  }

  refuse(): void {
    this.#takeWaiter()?.identityRefused(this.#identity.refusal())
  }

  stamp(): Stamp {
    const { owner } = this.#identity
    if (owner.producerId !== this.#owner?.producerId || owner.producerEpoch !== this.#owner.producerEpoch) {
      this.#owner = owner
      this.#nextSequence = 0
    }
    return { ...owner, baseSequence: this.#nextSequence }
  }

  stored(recordCount: number, baseOffset: number | null): void {
    this.#identity.takenIn()
    this.#firstStored ??= baseOffset
    this.#nextSequence = (this.#nextSequence + recordCount) % sequenceCount
  }

  doubt(reason: string): void {
    this.#fail(`what became of a batch is not known (${reason})`)
  }

  refused(_refusal: IdentityRefusal, reason: string): 'give-up' {
    this.#fail(`the broker refused a batch (${reason})`)
    return 'give-up'
  }

  takeFirstStored(): StoredRecord | null {
    const offset = this.#firstStored
    this.#firstStored = null
    return offset === null ? null : { ...this.place, offset }
  }

  #fail(what: string): void {
    const { topic, partition } = this.place
    const message = `${what} for ${topic} partition ${partition}, so the transaction cannot be committed`
    this.#identity.fail(new DriverError('transaction-failed', message, { topic, partition, retriable: true }))
  }

  #takeWaiter(): IdentityWaiter | null {
    const waiter = this.#waiter
    this.#waiter = null
    return waiter
  }
}
