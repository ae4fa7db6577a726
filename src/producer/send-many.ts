import type { SendError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import type { Clock } from '../runtime/clock.js'
import type { SendSpan } from '../telemetry/tracing.js'
import type { Topic } from '../topic/topic.js'
import { withCaller, type Caller } from './caller.js'
import type { MemoryWaiter } from './buffer-memory.js'
import { badInput, encodeRecord, type SendOptions, type TakenOptions } from './outgoing-record.js'
import { keptWaiting, type Placement, type Submission } from './placement.js'
import { countFailure, type FailureCounts, type Receipt, type ReceiptSink } from './receipt.js'
import { memoryBytes } from './record-size.js'
import { SendLimit } from './send-limit.js'
import { SendManyError } from './send-many-error.js'
import type { TracedSends } from './traced-sends.js'
import { bufferFull, closedUnsent } from './waiting-send.js'

/** What a `sendMany` may say about all of its records. An `id` would be the same for all, so there is none. */
export type SendManyOptions = Omit<SendOptions, 'id'>

/**
 * The records of one `sendMany`. All are bytes when the call returns: the caller may change the values, the array and
 * the options. They are taken in while there is room; the rest waits at one place in the line.
 */
export class SendMany<Value> implements ReceiptSink, MemoryWaiter {
  readonly promise: Promise<readonly Receipt[]>
  readonly #topic: Topic<Value>
  readonly #placement: Placement
  readonly #failures: FailureCounts
  /** Who is told: itself, or by way of the limit that the call was given. */
  #sink: ReceiptSink = this
  readonly #caller: Caller | null
  readonly #results: (Receipt | SendError)[] = []
  #resolve!: (receipts: readonly Receipt[]) => void
  #reject!: (error: SendManyError) => void
  /** Those that found no room, in order; the ones before `#next` have it by now. */
  readonly #waiting: Submission[] = []
  #next = 0
  #withoutResult = 0
  #anyFailed = false
  #traced: TracedSends | null = null
  #span: SendSpan | null = null

  constructor(topic: Topic<Value>, placement: Placement, failures: FailureCounts, caller: Caller | null) {
    this.#caller = caller
    this.#topic = topic
    this.#placement = placement
    this.#failures = failures
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  start(given: readonly Value[], options: TakenOptions, clock: Clock, traced: TracedSends | null): void {
    // What encodes a value may change the array.
    const values = [...given]
    if (values.length === 0) return this.#resolve([])
    this.#withoutResult = values.length
    if (traced !== null) {
      this.#traced = traced
      this.#span = traced.beginMany(this.#topic.name, values.length, options.headers, options.partition)
    }
    const limit =
      options.limit === null ? null : new SendLimit(this.#topic.name, this, values.length, clock, options.limit)
    if (limit !== null) this.#sink = limit
    const sentAt = clock.now()
    const wallTime = clock.wallTime()
    for (let slot = 0; slot < values.length; slot += 1) {
      this.#take(values[slot] as Value, options, sentAt, wallTime, slot)
    }
    if (this.#waiting.length === 0) return
    if (this.#placement.waitForRoom(this)) return limit?.joinedLine(() => this.#placement.leaveLine(this))
    this.#failRest(bufferFull(this.#topic.name, 'and as much again waiting'))
  }

  get bytes(): number {
    return memoryBytes(this.#waiting[this.#next]?.sizeBytes ?? 0)
  }

  enter(): 'done' | 'waits-for-more' {
    const next = this.#waiting[this.#next]
    this.#next += 1
    if (next !== undefined) this.#placement.placeFromLine(next)
    return this.#next < this.#waiting.length ? 'waits-for-more' : 'done'
  }

  turnedAway(reason: 'too-long' | 'closed'): void {
    const { name } = this.#topic
    this.#failRest(reason === 'closed' ? closedUnsent(name) : bufferFull(name, 'for maxBlockMs'))
  }

  stored(slot: number, receipt: Receipt): void {
    this.#put(slot, receipt)
  }

  failed(slot: number, error: SendError): void {
    this.#anyFailed = true
    countFailure(this.#failures, error)
    this.#put(slot, error)
  }

  /** To its place, or behind the others that found no room. */
  #take(value: Value, options: TakenOptions, sentAt: number, wallTime: number, slot: number): void {
    try {
      const record = this.#withTrace(encodeRecord(this.#topic, value, options, wallTime))
      const submission = this.#placement.prepare(
        this.#topic as Topic,
        value,
        record,
        options.partition,
        sentAt,
        this.#sink,
        slot,
      )
      if (this.#waiting.length > 0 || !this.#placement.tryAccept(submission))
        this.#waiting.push(keptWaiting(submission))
    } catch (error) {
      this.#sink.failed(slot, badInput('sendMany', this.#topic, error))
    }
  }

  #withTrace(record: OutgoingRecord): OutgoingRecord {
    if (this.#traced === null || this.#span === null) return record
    return this.#traced.withTrace(record, this.#span.headers)
  }

  #failRest(failure: SendError): void {
    for (; this.#next < this.#waiting.length; this.#next += 1)
      this.#sink.failed(this.#waiting[this.#next]!.slot, failure)
  }

  #put(slot: number, result: Receipt | SendError): void {
    this.#results[slot] = result
    this.#withoutResult -= 1
    if (this.#withoutResult > 0) return
    if (!this.#anyFailed) {
      if (this.#span !== null) this.#traced?.end(this.#span, { outcome: 'stored' })
      return this.#resolve(this.#results as Receipt[])
    }
    const error = new SendManyError(this.#results)
    if (this.#span !== null) this.#traced?.end(this.#span, { outcome: error.outcome, error })
    this.#reject(this.#caller === null ? error : withCaller(error, this.#caller))
  }
}
