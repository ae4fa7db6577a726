import type { DriverProducer } from '../driver/producer.js'
import { SendError, TidemarkError } from '../errors.js'
import type { OutgoingRecord } from '../message/record.js'
import type { Runtime } from '../runtime/runtime.js'
import type { Topic } from '../topic/topic.js'
import { recordBound } from '../wire/growing-records.js'
import type { Accumulator } from './accumulator.js'
import type { BufferMemory, MemoryWaiter } from './buffer-memory.js'
import type { Caller } from './caller.js'
import { refuse, withOwnBytes } from './outgoing-record.js'
import { checkInteger, PartitionChoice } from './partition-choice.js'
import type { PartitionQueue } from './partition-queue.js'
import { canBeWhole, makeWhole, prepareToWrite } from './preparation.js'
import type { FailureCounts, Receipt, ReceiptSink } from './receipt.js'
import { batchOverheadBytes, memoryBytes } from './record-size.js'

/** A record on its way to its place in a queue, and who waits for it. */
export interface Submission {
  readonly topic: Topic
  readonly value: unknown
  /** Its bytes may be the caller's while it is on its way; they are its own where it waits. */
  record: OutgoingRecord
  readonly partition: number | undefined
  readonly sentAt: number
  readonly sizeBytes: number
  readonly sink: ReceiptSink
  readonly slot: number
  /** `null` until the topic's partition count is known and its value is whole; then chosen once, for good. */
  queue: PartitionQueue | null
}

export interface PlacementSettings {
  readonly maxRequestBytes: number
  readonly maxBlockMs: number
  readonly deliveryTimeoutMs: number
}

/**
 * What the producer knows of one topic. While it loads, its records wait in the order they came; it is loaded only when
 * all of them have their place, so nobody who comes meanwhile passes them.
 */
interface TopicState {
  readonly choice: PartitionChoice
  /** When its partitions were last told (by `clock.now()`). */
  loadedAt: number
  phase:
    | { readonly name: 'unknown' }
    | { readonly name: 'loading'; readonly waiting: Set<Submission>; readonly ended: Promise<void> }
    | { readonly name: 'loaded' }
}

interface Refused {
  readonly submission: Submission
  readonly error: SendError
}

/** Looks at a topic that is about to be written; a rejection refuses what was sent to it. */
export type BeforeFirstSend = (topic: string, withinMs: number) => Promise<void>

/** A send to a partition that there is not must not make every other send wait for an answer about the topic. */
const lookAgainMs = 1_000

/** Brings records to their place: room in memory, then the topic's partitions, then the queue of the partition chosen. */
export class Placement {
  readonly #memory: BufferMemory
  readonly #driver: DriverProducer
  readonly #runtime: Runtime
  readonly #settings: PlacementSettings
  readonly #accumulator: Accumulator
  readonly #beforeFirstSend: BeforeFirstSend | undefined
  readonly #topics = new Map<string, TopicState>()

  constructor(
    driver: DriverProducer,
    runtime: Runtime,
    settings: PlacementSettings,
    memory: BufferMemory,
    accumulator: Accumulator,
    beforeFirstSend?: BeforeFirstSend,
  ) {
    this.#driver = driver
    this.#runtime = runtime
    this.#settings = settings
    this.#accumulator = accumulator
    this.#beforeFirstSend = beforeFirstSend
    this.#memory = memory
  }

  get loadingTopics(): number {
    return [...this.#topics.values()].filter(({ phase }) => phase.name === 'loading').length
  }

  /** Checks the size and chooses the partition, if the topic is known. Throws `SendError` `not-stored`. */
  prepare(
    topic: Topic,
    value: unknown,
    record: OutgoingRecord,
    partition: number | undefined,
    sentAt: number,
    sink: ReceiptSink,
    slot: number,
  ): Submission {
    const sizeBytes = this.sizeOf(topic, record)
    const queue = this.queueOf(topic, value, record, partition, sizeBytes)
    return { topic, value, record, partition, sentAt, sizeBytes, sink, slot, queue }
  }

  /** The most that the record takes in a batch. Throws `SendError` `record-too-large`. */
  sizeOf(topic: Topic, record: OutgoingRecord): number {
    const sizeBytes = recordBound(record)
    if (sizeBytes + batchOverheadBytes > this.#settings.maxRequestBytes) throw this.#tooLarge(topic, sizeBytes)
    return sizeBytes
  }

  /** Chooses the record's partition, once; `null` while its topic is not known. Throws `SendError` `invalid-partition`. */
  queueOf(
    topic: Topic,
    value: unknown,
    record: OutgoingRecord,
    partition: number | undefined,
    sizeBytes: number,
  ): PartitionQueue | null {
    const state = this.#topics.get(topic.name)
    if (state?.phase.name === 'loaded' && !this.#needsAnotherLook(state, topic, record, partition)) {
      return this.#choose(state, topic, value, record, partition, sizeBytes)
    }
    if (partition !== undefined) checkInteger(topic, partition)
    return null
  }

  /** The promise of a record that is taken in at once; `null`, and nothing happened, where `tryAccept` would say no. */
  tryJoin(
    queue: PartitionQueue,
    record: OutgoingRecord,
    sizeBytes: number,
    sentAt: number,
    failures: FailureCounts,
    caller: Caller | null,
  ): Promise<Receipt> | null {
    const bytes = memoryBytes(sizeBytes)
    if (!this.#memory.tryTake(bytes)) return null
    try {
      return this.#accumulator.join(queue, record, sizeBytes, sentAt, failures, caller)
    } catch (error) {
      // Bytes that are another length each time they are asked.
      this.#memory.release(bytes)
      throw error
    }
  }

  /** Takes the record in at once, if there is room for it and nobody waits. */
  tryAccept(submission: Submission): boolean {
    const bytes = memoryBytes(submission.sizeBytes)
    if (!this.#memory.tryTake(bytes)) return false
    try {
      this.place(submission)
    } catch (error) {
      // Bytes that are another length each time they are asked.
      this.#memory.release(bytes)
      throw error
    }
    return true
  }

  /** Joins the line for memory; false when the line is full too. */
  waitForRoom(waiter: MemoryWaiter): boolean {
    if (!this.#memory.wait(waiter)) return false
    this.#accumulator.hurry()
    return true
  }

  leaveLine(waiter: MemoryWaiter): void {
    this.#memory.leave(waiter)
  }

  /** The memory for it was taken: to its queue, or to those who wait for its topic. */
  place(submission: Submission): void {
    if (submission.queue === null) this.#placeByTopic(submission)
    else this.#enqueue(submission, submission.queue)
  }

  /** The same, of one that stood in line: one before it may have made its topic load meanwhile. */
  placeFromLine(submission: Submission): void {
    const phase = this.#topics.get(submission.topic.name)?.phase
    if (phase?.name === 'loading') this.#awaitTopic(phase.waiting, submission)
    else this.place(submission)
  }

  /** Resolves when every topic that loads now has its partitions, or was given up. */
  async topicsLoaded(): Promise<void> {
    await Promise.all(
      [...this.#topics.values()].map(({ phase }) => (phase.name === 'loading' ? phase.ended : undefined)),
    )
  }

  /** Ends every record that waits for its topic. */
  dropWaiting(error: (submission: Submission) => SendError): void {
    for (const state of this.#topics.values()) {
      if (state.phase.name === 'loading') this.#failAll(takeAll(state.phase.waiting), error)
    }
  }

  #placeByTopic(submission: Submission): void {
    const { topic } = submission
    let state = this.#topics.get(topic.name)
    if (state === undefined) {
      state = this.#newTopic(topic.name)
      this.#topics.set(topic.name, state)
    }
    if (state.phase.name === 'loading') this.#awaitTopic(state.phase.waiting, submission)
    else if (
      state.phase.name === 'unknown' ||
      this.#needsAnotherLook(state, topic, submission.record, submission.partition)
    )
      this.#load(topic.name, state, submission)
    else {
      const error = this.#chooseAndEnqueue(state, submission)
      if (error !== null) this.#end([{ submission, error }])
    }
  }

  #newTopic(name: string): TopicState {
    return {
      choice: new PartitionChoice(
        this.#runtime.random,
        (partition) => this.#driver.hasLeader?.(name, partition) ?? true,
      ),
      loadedAt: -Infinity,
      phase: { name: 'unknown' },
    }
  }

  #needsAnotherLook(state: TopicState, topic: Topic, record: OutgoingRecord, partition: number | undefined): boolean {
    return !canBeWhole(topic, record) || this.#mayHaveGrown(state, topic, partition)
  }

  /** A partition that is not known may have been added since the topic was looked at, so that is done again first. */
  #mayHaveGrown({ loadedAt }: TopicState, topic: Topic, partition: number | undefined): boolean {
    if (partition === undefined || !Number.isInteger(partition)) return false
    const isKnown = partition < (this.#driver.partitionCount(topic.name) ?? 0)
    return !isKnown && this.#runtime.clock.now() - loadedAt >= lookAgainMs
  }

  #load(name: string, state: TopicState, first: Submission): void {
    const waiting = new Set<Submission>()
    this.#awaitTopic(waiting, first)
    state.phase = { name: 'loading', waiting, ended: this.#loadAndPlace(name, state, waiting) }
  }

  #awaitTopic(waiting: Set<Submission>, submission: Submission): void {
    waiting.add(keptWaiting(submission))
    submission.sink.joined?.(submission.slot, {
      takeBack: () => {
        if (waiting.delete(submission)) this.#memory.release(memoryBytes(submission.sizeBytes))
        return 'left'
      },
    })
  }

  /** Never rejects. */
  async #loadAndPlace(name: string, state: TopicState, waiting: Set<Submission>): Promise<void> {
    const { maxBlockMs, deliveryTimeoutMs } = this.#settings
    const deadline = this.#runtime.clock.now() + Math.min(maxBlockMs, deliveryTimeoutMs)
    const problem = await this.#loadProblem(name, deadline)
    if (problem !== null) {
      state.phase = { name: 'unknown' }
      this.#failAll(takeAll(waiting), () => problem)
      return
    }
    state.loadedAt = this.#runtime.clock.now()
    const unprepared = await this.#prepareSerdes(waiting, deadline)
    const refused: Refused[] = []
    // The partitioner may send more to this topic: that joins the end and is placed here too.
    for (const submission of waiting) {
      const isUnprepared = !canBeWhole(submission.topic, submission.record)
      const problem = isUnprepared ? unprepared.get(submission.topic) : undefined
      const error = problem ?? this.#chooseAndEnqueue(state, submission)
      if (error !== null) refused.push({ submission, error })
    }
    state.phase = { name: 'loaded' }
    this.#end(refused)
  }

  async #loadProblem(name: string, deadline: number): Promise<SendError | null> {
    const { clock } = this.#runtime
    try {
      await this.#driver.loadTopic(name, deadline)
      // A cluster that does not answer questions about topics may take records all the same, so they are left time.
      await this.#beforeFirstSend?.(name, (deadline - clock.now()) / 2)
      return null
    } catch (cause) {
      return notLoaded(name, cause)
    }
  }

  /** Until the serdes of all that waits are ready, or will not be in time. What joins meanwhile is looked at too. */
  async #prepareSerdes(waiting: ReadonlySet<Submission>, deadline: number): Promise<ReadonlyMap<Topic, SendError>> {
    const unprepared = new Map<Topic, SendError>()
    for (const { topic, record } of waiting) {
      if (canBeWhole(topic, record) || unprepared.has(topic)) continue
      try {
        await prepareToWrite(topic, this.#runtime, deadline, () => waiting.size > 0)
      } catch (error) {
        unprepared.set(topic, error as SendError)
      }
    }
    return unprepared
  }

  #failAll(submissions: readonly Submission[], error: (submission: Submission) => SendError): void {
    this.#end(submissions.map((submission) => ({ submission, error: error(submission) })))
  }

  /** What their memory lets in comes after all of them. */
  #end(refused: readonly Refused[]): void {
    let bytes = 0
    for (const { submission, error } of refused) {
      bytes += memoryBytes(submission.sizeBytes)
      submission.sink.failed(submission.slot, error)
    }
    if (bytes > 0) this.#memory.release(bytes)
  }

  #chooseAndEnqueue(state: TopicState, submission: Submission): SendError | null {
    try {
      const { topic, value, record, partition, sizeBytes } = submission
      submission.queue ??= this.#choose(state, topic, value, record, partition, sizeBytes)
    } catch (error) {
      return error as SendError
    }
    this.#enqueue(submission, submission.queue)
    return null
  }

  #enqueue({ record, sizeBytes, sentAt, sink, slot }: Submission, queue: PartitionQueue): void {
    this.#accumulator.add(queue, record, sizeBytes, sentAt, sink, slot)
  }

  /** Once per record. Throws `SendError` `invalid-partition`. */
  #choose(
    state: TopicState,
    topic: Topic,
    value: unknown,
    record: OutgoingRecord,
    partition: number | undefined,
    sizeBytes: number,
  ): PartitionQueue {
    makeWhole(topic, record)
    const partitionCount = this.#driver.partitionCount(topic.name) ?? 0
    const chosen = state.choice.of(topic, value, record, partition, sizeBytes, partitionCount)
    return this.#accumulator.queue(topic.name, chosen)
  }

  #tooLarge({ name }: Topic, sizeBytes: number): SendError {
    const { maxRequestBytes } = this.#settings
    return refuse(
      'record-too-large',
      name,
      `a record for topic ${name} takes about ${sizeBytes} bytes, at most ${maxRequestBytes - batchOverheadBytes} fit ` +
        `(maxRequestBytes ${maxRequestBytes}); send less, or raise maxRequestBytes and the topic's max.message.bytes`,
    )
  }
}

function takeAll(waiting: Set<Submission>): readonly Submission[] {
  const all = [...waiting]
  waiting.clear()
  return all
}

/** A record that waits may be looked at when its caller has used its bytes for something else. */
export function keptWaiting(submission: Submission): Submission {
  submission.record = withOwnBytes(submission.record)
  return submission
}

function notLoaded(name: string, cause: unknown): SendError {
  const reason = cause instanceof TidemarkError ? cause : undefined
  const message = reason?.message ?? 'the cluster did not tell its partitions (see cause)'
  return new SendError(
    reason?.code ?? 'metadata-failed',
    'not-stored',
    `nothing was sent to topic ${name}: ${message}`,
    {
      topic: name,
      cause,
      retriable: reason?.retriable ?? false,
    },
  )
}
