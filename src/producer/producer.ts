import type { DriverProducer } from '../driver/producer.js'
import { StateError, TimeoutError, type SendError } from '../errors.js'
import { optionProblem } from '../input/option-rules.js'
import type { Runtime } from '../runtime/runtime.js'
import { StateMachine } from '../runtime/state-machine.js'
import { withinDeadline } from '../runtime/within-deadline.js'
import type { Metrics } from '../telemetry/metrics.js'
import type { Tracing } from '../telemetry/tracing.js'
import type { StandingTrouble, Troubles } from '../telemetry/troubles.js'
import type { Topic } from '../topic/topic.js'
import { BufferMemory } from './buffer-memory.js'
import { topicsToConnect, type ConnectOptions } from './connect-options.js'
import { badInput, encodeRecord, noSendOptions, takeOptions, type SendOptions } from './outgoing-record.js'
import { Placement, type BeforeFirstSend, type Submission } from './placement.js'
import { Callers } from './caller.js'
import type { ResolvedProducerOptions } from './producer-options.js'
import { SingleSend, type FailureCounts, type Receipt, type ReceiptSink } from './receipt.js'
import { SendLimit } from './send-limit.js'
import { requireSendMany, requireSendOptions } from './send-input.js'
import { manyThroughMiddleware, throughMiddleware, type SendNext } from './send-middleware.js'
import { SendMany, type SendManyOptions } from './send-many.js'
import { Sender } from './sender.js'
import { timeoutRules, type TimeoutOption } from './timeout-option.js'
import { TracedSends } from './traced-sends.js'
import { bufferFull, closedUnsent, WaitingSend } from './waiting-send.js'

/** What became of the records that were not stored when the producer closed. */
export interface CloseSummary {
  /** Records that ended `not-stored` since `close` was called. */
  readonly unsent: number
  /** Records that ended `unknown` since `close` was called: the broker may have them. */
  readonly unknown: number
}

/** A producer at this moment, for health and metrics. */
export interface ProducerFacts {
  readonly client: string
  readonly state: ProducerState
  /** Memory held by records that wait or are out. */
  readonly bufferedBytes: number
  /** Sends that wait for memory. */
  readonly waitingSends: number
  readonly batchesOut: number
  readonly loadingTopics: number
  /** What lasts: told as an event, and not ended. */
  readonly troubles: readonly StandingTrouble[]
}

/** Sockets are destroyed at once, so a driver that takes longer hangs. */
const driverCloseMs = 1_000

/** More may come. */
export type ProducerState = 'open' | 'closing' | 'closed'

export interface ProducerParts {
  readonly clientId: string
  readonly driver: DriverProducer
  readonly runtime: Runtime
  readonly metrics: Metrics
  readonly troubles?: Troubles | undefined
  readonly tracing?: Tracing | undefined
  readonly options: ResolvedProducerOptions
  readonly beforeFirstSend?: BeforeFirstSend | undefined
  readonly onClosed?: (() => void) | undefined
}

/**
 * Sends records. A send ends in one of three ways: its promise resolves to a receipt (stored), or rejects with a
 * `SendError` whose `outcome` is `not-stored` (certainly; safe to send again) or `unknown` (the broker may have it).
 *
 * Records of one partition are stored in the order of the calls.
 *
 * @example
 * const receipt = await producer.send(rawEvents, event)
 */
export class Producer {
  readonly #clientId: string
  readonly #driver: DriverProducer
  readonly #runtime: Runtime
  readonly #options: ResolvedProducerOptions
  readonly #memory: BufferMemory
  readonly #sender: Sender
  readonly #troubles: Troubles | undefined
  readonly #placement: Placement
  /** `null` without middleware, which then costs nothing. */
  readonly #through: SendNext | null
  readonly #traced: TracedSends | null
  readonly #callers = new Callers()
  readonly #failures: FailureCounts = { notStored: 0, unknown: 0 }
  readonly #state = new StateMachine<ProducerState>('the producer', 'open', {
    open: ['closing'],
    closing: ['closed'],
    closed: [],
  })
  readonly #beforeFirstSend: BeforeFirstSend | undefined
  readonly #onClosed: (() => void) | undefined
  #closing: Promise<CloseSummary> | null = null

  /** @internal */
  constructor(parts: ProducerParts) {
    const { clientId, driver, runtime, metrics, troubles, tracing, options, beforeFirstSend, onClosed } = parts
    this.#traced = tracing === undefined ? null : new TracedSends(tracing, options.maxRequestBytes)
    this.#troubles = troubles
    this.#clientId = clientId
    this.#driver = driver
    this.#runtime = runtime
    this.#options = options
    this.#beforeFirstSend = beforeFirstSend
    this.#onClosed = onClosed
    this.#memory = new BufferMemory(options.bufferBytes, options.maxBlockMs, runtime.clock)
    this.#sender = new Sender(driver, runtime.clock, metrics, options, this.#memory)
    const { use } = options
    this.#through =
      use.length === 0
        ? null
        : throughMiddleware(use, (sending) => this.#send(sending.topic, sending.value, sending.options), runtime.clock)
    this.#placement = new Placement(driver, runtime, options, this.#memory, this.#sender.accumulator, beforeFirstSend)
  }

  /**
   * Finds the cluster and the topics given, so that a wrong address or name shows now and not at the first send.
   *
   * @throws DriverError `unknown-topic`; `not-durable` when the profile refuses how a topic is kept; what says that no
   *   broker answered within `maxBlockMs`
   * @throws StateError after `close`
   */
  async connect(options: ConnectOptions = {}): Promise<void> {
    if (this.#closing !== null) throw this.#refusal('connect')
    const names = topicsToConnect(options)
    const deadline = this.#runtime.clock.now() + this.#options.maxBlockMs
    await this.#driver.connect(deadline)
    await Promise.all(names.map((name) => this.#driver.loadTopic(name, deadline)))
    const leftMs = deadline - this.#runtime.clock.now()
    await Promise.all(names.map((name) => this.#beforeFirstSend?.(name, leftMs)))
  }

  /**
   * Sends one record. It has its place in its partition when the call returns; the promise tells how it ended.
   *
   * Rejects with `SendError`: `invalid-value`, `invalid-key`, `invalid-partition`, `record-too-large` and other bad input;
   * `unknown-topic`; `buffer-full` after `maxBlockMs`; `delivery-timeout` after `deliveryTimeoutMs`; `send-timeout` and
   * `aborted` by its own `timeoutMs` and `signal`; a broker's refusal by its name. With `StateError` after `close`.
   */
  send<Value>(topic: Topic<Value>, value: Value, options: SendOptions = noSendOptions): Promise<Receipt> {
    if (this.#through !== null) return this.#through({ topic: topic as Topic, value, options })
    return this.#send(topic, value, options)
  }

  #send<Value>(topic: Topic<Value>, value: Value, options: SendOptions): Promise<Receipt> {
    if (this.#closing !== null) return Promise.reject(this.#refusal('send'))
    const { clock } = this.#runtime
    const sentAt = clock.now()
    const caller = this.#callers.take(sentAt)
    // Of its own: made only where the record cannot join a batch at once.
    let sending: SingleSend | null = null
    let sink: ReceiptSink | null = null
    try {
      requireSendOptions(topic, options)
      const taken = takeOptions(topic as Topic, options)
      const { partition } = taken
      let limit: SendLimit | null = null
      if (taken.limit !== null || this.#traced !== null) sink = sending = new SingleSend(this.#failures, caller)
      if (taken.limit !== null && sending !== null)
        sink = limit = new SendLimit(topic.name, sending, 1, clock, taken.limit)
      let record = encodeRecord(topic, value, taken, clock.wallTime())
      if (this.#traced !== null && sending !== null)
        record = this.#traced.beginOne(topic.name, record, partition, sending)
      const sizeBytes = this.#placement.sizeOf(topic as Topic, record)
      const queue = this.#placement.queueOf(topic as Topic, value, record, partition, sizeBytes)
      if (sending === null && queue !== null) {
        const receipt = this.#placement.tryJoin(queue, record, sizeBytes, sentAt, this.#failures, caller)
        if (receipt !== null) return receipt
      }
      sending ??= new SingleSend(this.#failures, caller)
      sink ??= sending
      const submission = { topic: topic as Topic, value, record, partition, sentAt, sizeBytes, sink, slot: 0, queue }
      if (!this.#placement.tryAccept(submission)) this.#waitForRoom(submission, limit)
    } catch (error) {
      sending ??= new SingleSend(this.#failures, caller)
      ;(sink ?? sending).failed(0, badInput('send', topic, error))
    }
    return sending.promise
  }

  /**
   * Sends values in order; one receipt each, in the same order.
   *
   * Rejects with `SendManyError` when not all were stored; its `results` tell what became of each. With `SendError`
   * `invalid-values` or `invalid-options` when the call makes no sense as a whole. With `StateError` after `close`.
   */
  sendMany<Value>(
    topic: Topic<Value>,
    values: readonly NoInfer<Value>[],
    options: SendManyOptions = noSendOptions,
  ): Promise<readonly Receipt[]> {
    if (this.#closing !== null) return Promise.reject(this.#refusal('sendMany'))
    const sending = new SendMany(topic, this.#placement, this.#failures, this.#callers.take(this.#runtime.clock.now()))
    try {
      requireSendMany(topic, values, options)
      if (this.#through !== null) return manyThroughMiddleware(this.#through, topic, values, options)
      sending.start(values, takeOptions(topic as Topic, options), this.#runtime.clock, this.#traced)
    } catch (error) {
      return Promise.reject(badInput('sendMany', topic, error))
    }
    return sending.promise
  }

  /**
   * Resolves when everything sent before this call has its outcome, good or bad; nothing lingers meanwhile.
   *
   * Without `timeoutMs` the records' own deadlines bound the wait.
   *
   * @throws TimeoutError `flush-timeout` after `timeoutMs`; what was sent goes on.
   */
  async flush(options: TimeoutOption = {}): Promise<void> {
    const problem = optionProblem('flush', options, timeoutRules)
    if (problem !== null) throw problem
    const { timeoutMs = Infinity } = options
    await this.#until(this.#runtime.clock.now() + timeoutMs, this.#flush())
  }

  /**
   * Takes no more sends, flushes for at most `timeoutMs` (default `closeTimeoutMs`), then ends what is left: each record
   * with its own outcome. Idempotent.
   */
  close(options: TimeoutOption = {}): Promise<CloseSummary> {
    const problem = optionProblem('close', options, timeoutRules)
    if (problem !== null) return Promise.reject(problem)
    const { timeoutMs = this.#options.closeTimeoutMs } = options
    this.#closing ??= this.#close(this.#runtime.clock.now() + timeoutMs)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** How it stands now: what waits for memory, what is out, what is in doubt. Asks no broker. */
  facts(): ProducerFacts {
    return {
      client: this.#clientId,
      state: this.#state.current,
      bufferedBytes: this.#memory.usedBytes,
      waitingSends: this.#memory.waiting,
      batchesOut: this.#sender.batchesOut,
      loadingTopics: this.#placement.loadingTopics,
      troubles: this.#troubles?.standing() ?? [],
    }
  }

  /** @internal What waits for memory or its topic is not sent; what waits in queues goes to the driver, which says what becomes of it. */
  async giveUpWaiting(error: (topic: string) => SendError): Promise<void> {
    this.#memory.turnAllAway()
    this.#placement.dropWaiting(({ topic }) => error(topic.name))
    await this.#sender.flush()
  }

  #waitForRoom(submission: Submission, limit: SendLimit | null): void {
    const waiter = new WaitingSend(submission, this.#placement)
    if (!this.#placement.waitForRoom(waiter)) throw bufferFull(submission.topic.name, 'and as much again waiting')
    limit?.joinedLine(() => this.#placement.leaveLine(waiter))
  }

  /** Records pass the line for memory, then their topic's load, then their queue: each is waited for in that order. */
  async #flush(): Promise<void> {
    this.#sender.accumulator.seal()
    await this.#memory.linePassed()
    await this.#placement.topicsLoaded()
    await this.#sender.flush()
  }

  async #close(deadline: number): Promise<CloseSummary> {
    this.#state.to('closing')
    const before = { ...this.#failures }
    await this.#until(deadline, this.#flush()).catch(ignoreTimeout)
    this.#dropWhatWaits()
    try {
      await this.#until(this.#runtime.clock.now() + driverCloseMs, this.#closeDriver()).catch(ignoreTimeout)
    } finally {
      this.#sender.abandon()
      this.#state.to('closed')
      this.#onClosed?.()
    }
    return {
      unsent: this.#failures.notStored - before.notStored,
      unknown: this.#failures.unknown - before.unknown,
    }
  }

  /** Batches that were out learn their outcome from the driver's close; this waits for their senders to have told it. */
  async #closeDriver(): Promise<void> {
    await this.#driver.close()
    await this.#sender.flush()
  }

  #dropWhatWaits(): void {
    this.#memory.turnAllAway()
    this.#placement.dropWaiting(({ topic }) => closedUnsent(topic.name))
    this.#sender.dropUnsent(({ topic, partition }) => closedUnsent(topic, partition))
  }

  async #until(deadline: number, work: Promise<void>): Promise<void> {
    await withinDeadline(work, {
      clock: this.#runtime.clock,
      deadline,
      onLate: () => {
        throw new TimeoutError('flush-timeout', 'records were still on their way at the deadline of flush')
      },
    })
  }

  #refusal(action: string): StateError {
    return new StateError('closed', `${action} was called on a producer that is ${this.#state.current}; make a new one`)
  }
}

function ignoreTimeout(error: unknown): void {
  if (!(error instanceof TimeoutError)) throw error
}
