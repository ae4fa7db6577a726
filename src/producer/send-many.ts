import type { SendError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import type { Topic } from '../topic/topic.js'
import type { MemoryWaiter } from './buffer-memory.js'
import { encodeRecord, type SendOptions } from './outgoing-record.js'
import type { Placement, Submission } from './placement.js'
import { countFailure, type FailureCounts, type Receipt, type ReceiptSink } from './receipt.js'
import { memoryBytes } from './record-size.js'
import { SendManyError } from './send-many-error.js'
import { bufferFull, closedUnsent } from './waiting-send.js'

/** What a `sendMany` may say about all of its records. An `id` would be the same for all, so there is none. */
export type SendManyOptions = Omit<SendOptions, 'id'>

/**
 * The records of one `sendMany`. They are taken in one after the other while there is room; when there is none, it waits
 * at its place in the line, so values are encoded no earlier than they can be held.
 */
export class SendMany<Value> implements ReceiptSink, MemoryWaiter {
  readonly promise: Promise<readonly Receipt[]>
  readonly #topic: Topic<Value>
  #values: readonly Value[]
  readonly #options: SendOptions
  readonly #placement: Placement
  readonly #clock: Clock
  readonly #failures: FailureCounts
  readonly #results: (Receipt | SendError)[]
  #resolve!: (receipts: readonly Receipt[]) => void
  #reject!: (error: SendManyError) => void
  #next = 0
  /** Encoded, and waits for room. */
  #blocked: Submission | null = null
  #withoutResult: number
  #anyFailed = false

  constructor(
    topic: Topic<Value>,
    values: readonly Value[],
    options: SendOptions,
    placement: Placement,
    clock: Clock,
    failures: FailureCounts,
  ) {
    this.#topic = topic
    this.#values = values
    this.#options = options
    this.#placement = placement
    this.#clock = clock
    this.#failures = failures
    this.#withoutResult = values.length
    this.#results = new Array<Receipt | SendError>(values.length)
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  start(): void {
    if (this.#values.length === 0) this.#resolve([])
    this.#advance()
    if (this.#blocked === null) return
    // The caller may use the array for something else while the rest waits.
    this.#values = [...this.#values]
    if (this.#placement.waitForRoom(this)) return
    this.#failRest(() => bufferFull(this.#topic.name, 'and as much again waiting'))
  }

  get bytes(): number {
    return this.#blocked === null ? 0 : memoryBytes(this.#blocked.sizeBytes)
  }

  enter(): 'done' | 'waits-for-more' {
    if (this.#blocked !== null) this.#placement.place(this.#blocked)
    this.#blocked = null
    this.#prepareNext()
    return this.#blocked === null ? 'done' : 'waits-for-more'
  }

  turnedAway(reason: 'too-long' | 'closed'): void {
    const { name } = this.#topic
    this.#failRest(() => (reason === 'closed' ? closedUnsent(name) : bufferFull(name, 'for maxBlockMs')))
  }

  stored(slot: number, receipt: Receipt): void {
    this.#put(slot, receipt)
  }

  failed(slot: number, error: SendError): void {
    this.#anyFailed = true
    countFailure(this.#failures, error)
    this.#put(slot, error)
  }

  /** Takes records in until the buffer is full or all are in. */
  #advance(): void {
    for (;;) {
      this.#prepareNext()
      if (this.#blocked === null || !this.#placement.tryAccept(this.#blocked)) return
      this.#blocked = null
    }
  }

  /** The next value that can be sent, encoded; those that cannot get their error. */
  #prepareNext(): void {
    while (this.#next < this.#values.length) {
      const slot = this.#next
      const value = this.#values[slot] as Value
      this.#next += 1
      try {
        const record = encodeRecord(this.#topic, value, this.#options, this.#clock)
        this.#blocked = this.#placement.prepare(
          this.#topic as Topic,
          value,
          record,
          this.#options.partition,
          this,
          slot,
        )
        return
      } catch (error) {
        this.failed(slot, error as SendError)
      }
    }
  }

  #failRest(error: () => SendError): void {
    const failure = error()
    if (this.#blocked !== null) this.failed(this.#blocked.slot, failure)
    this.#blocked = null
    for (; this.#next < this.#values.length; this.#next += 1) this.failed(this.#next, failure)
  }

  #put(slot: number, result: Receipt | SendError): void {
    this.#results[slot] = result
    this.#withoutResult -= 1
    if (this.#withoutResult > 0) return
    if (this.#anyFailed) this.#reject(new SendManyError(this.#results))
    else this.#resolve(this.#results as Receipt[])
  }
}
