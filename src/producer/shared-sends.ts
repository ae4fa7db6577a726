import { SendError } from '../errors.js'
import { toldToCaller, type Caller } from './caller.js'
import { countFailure, SingleSend, type FailureCounts, type Receipt, type ReceiptSink } from './receipt.js'

/** Makes the receipt of the send with this slot. */
type ReceiptOf = (slot: number) => Receipt

/**
 * The sends whose records went straight into one batch. Each has a promise of its own that follows from one promise of all,
 * so a send leaves one object behind and no functions, and its receipt is made when it is handed out: with thousands in
 * flight, what each of them keeps is most of what the collector of young garbage copies.
 *
 * Promises that follow from one are told in the order in which they began to follow, so each takes the next end:
 *
 * | when they are told                | a send                                                              |
 * |-----------------------------------|---------------------------------------------------------------------|
 * | all ended together                | takes its end from what is known of all                             |
 * | some ended, as a batch was parted | takes its own, or goes on with a promise as any other send has one  |
 */
export class SharedSends implements ReceiptSink {
  readonly #failures: FailureCounts
  readonly #told: Promise<void>
  #tell!: () => void
  #all: ReceiptOf | SendError | null = null
  /** Of sends that ended one by one, by slot. */
  #ends: Map<number, Receipt | SendError> | null = null
  /** Those that were told before their end. */
  #late: Map<number, SingleSend> | null = null
  /** Of the sends whose callers were taken: one in a millisecond. */
  #callers: Map<number, Caller> | null = null
  #count = 0
  #taken = 0

  constructor(failures: FailureCounts) {
    this.#failures = failures
    this.#told = new Promise((resolve) => (this.#tell = resolve))
  }

  /** The slot of the next that joins. */
  get count(): number {
    return this.#count
  }

  join(caller: Caller | null): Promise<Receipt> {
    if (caller !== null) (this.#callers ??= new Map()).set(this.#count, caller)
    this.#count += 1
    return this.#told.then(this.#take)
  }

  /** None of them was told before. */
  allStored(receiptOf: ReceiptOf): void {
    this.#all = receiptOf
    this.#tell()
  }

  /** None of them was told before. */
  allFailed(error: SendError): void {
    for (let slot = 0; slot < this.#count; slot += 1) countFailure(this.#failures, error)
    this.#all = error
    this.#tell()
  }

  stored(slot: number, receipt: Receipt): void {
    const late = this.#late?.get(slot)
    if (late === undefined) this.#end(slot, receipt)
    else late.stored(slot, receipt)
  }

  failed(slot: number, error: SendError): void {
    const late = this.#late?.get(slot)
    if (late !== undefined) return late.failed(slot, error)
    countFailure(this.#failures, error)
    this.#end(slot, error)
  }

  #end(slot: number, end: Receipt | SendError): void {
    this.#ends ??= new Map()
    this.#ends.set(slot, end)
    this.#tell()
  }

  readonly #take = (): Receipt | Promise<Receipt> => {
    const slot = this.#taken
    this.#taken += 1
    if (typeof this.#all === 'function') return this.#all(slot)
    const end = this.#all ?? this.#ends?.get(slot)
    if (end === undefined) return this.#goOn(slot)
    if (!(end instanceof SendError)) return end
    const caller = this.#callers?.get(slot)
    throw caller === undefined ? end : toldToCaller(end, caller)
  }

  #goOn(slot: number): Promise<Receipt> {
    const late = new SingleSend(this.#failures, this.#callers?.get(slot) ?? null)
    this.#late ??= new Map()
    this.#late.set(slot, late)
    return late.promise
  }
}
