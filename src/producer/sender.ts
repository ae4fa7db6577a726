import type { Compression } from '../connection/requests/produce.js'
import { recalledCode, type BatchOutcome, type DriverProducer } from '../driver/producer.js'
import { DriverError, SendError } from '../errors.js'
import type { Clock } from '../runtime/clock.js'
import { LinkedSet } from '../runtime/linked-set.js'
import type { Metrics } from '../telemetry/metrics.js'
import { Accumulator, type AccumulatorSettings } from './accumulator.js'
import type { BufferMemory } from './buffer-memory.js'
import type { GrowingBatch } from './growing-batch.js'
import type { PartitionQueue } from './partition-queue.js'
import type { TakenBack } from './receipt.js'

export interface SenderSettings extends AccumulatorSettings {
  readonly compression: Compression
}

/**
 * Hands one batch of a partition at a time to the driver, waits for its last word, and tells everyone who waits for it:
 * the queue first goes on to its next batch, then the sends end, and metrics come last.
 */
export class Sender {
  readonly accumulator: Accumulator
  readonly #driver: DriverProducer
  readonly #clock: Clock
  readonly #metrics: Metrics
  readonly #deliveryTimeoutMs: number
  readonly #compresses: boolean
  readonly #memory: BufferMemory
  readonly #labels = new OutcomeLabels()
  /** With the driver. */
  readonly #out = new LinkedSet<GrowingBatch>()

  constructor(driver: DriverProducer, clock: Clock, metrics: Metrics, settings: SenderSettings, memory: BufferMemory) {
    this.#driver = driver
    this.#clock = clock
    this.#metrics = metrics
    this.#deliveryTimeoutMs = settings.deliveryTimeoutMs
    this.#compresses = settings.compression !== 'none'
    this.#memory = memory
    this.accumulator = new Accumulator(
      clock,
      settings,
      () => memory.waiting > 0,
      (queue) => this.#handOver(queue),
      (batch, index) => this.#takeBack(batch, index),
    )
  }

  get batchesOut(): number {
    return this.#out.size
  }

  /** Resolves when everything that waits now has its outcome. */
  async flush(): Promise<void> {
    const ends = this.accumulator.seal().map((batch) => new Promise<void>((resolve) => batch.onEnded.push(resolve)))
    await Promise.all(ends)
  }

  /** Ends every batch that is not with the driver. */
  dropUnsent(error: (batch: GrowingBatch) => SendError): void {
    for (const batch of this.accumulator.takeUnsent()) this.#failBatch(batch, error(batch))
  }

  /** Ends every batch that is with the driver: it will not tell any more. */
  abandon(): void {
    for (const batch of [...this.#out]) {
      const { topic, partition } = batch
      const queue = this.accumulator.queue(topic, partition)
      const message = `the producer was closed, and its driver did not tell what became of a batch for ${topic} partition ${partition}`
      const error = new DriverError('closed', message, { topic, partition })
      this.#ended(queue, batch, { outcome: 'unknown', error }, this.#clock.now())
    }
  }

  #takeBack(batch: GrowingBatch, index: number): TakenBack {
    batch.takeOut(index)
    if (this.#isOut(batch)) {
      batch.isComingBack ||= this.#driver.recall?.(batch) === true
      return batch.isComingBack ? 'leaving' : 'sent'
    }
    // Now and then, and not for each: the others are written anew.
    const queue = this.accumulator.queue(batch.topic, batch.partition)
    if (2 * batch.takenBack.size >= batch.records.count && queue.batches.includes(batch)) this.#leaveOut(queue, batch)
    return 'left'
  }

  /** What was taken back goes nowhere, and holds no memory. */
  #leaveOut(queue: PartitionQueue, batch: GrowingBatch): void {
    const rest = batch.takenBack.size < batch.records.count ? batch.rest() : null
    queue.replace(batch, rest)
    this.#memory.release(batch.memoryBytes - (rest?.memoryBytes ?? 0))
    if (rest === null) for (const ended of batch.onEnded) ended()
  }

  #handOver(queue: PartitionQueue): void {
    // As often as a whole batch goes: the next one may have lost some too.
    while (queue.oldest !== undefined && queue.oldest.takenBack.size > 0) this.#leaveOut(queue, queue.oldest)
    const batch = queue.handOver()
    if (batch === undefined) return this.accumulator.release(queue)
    const now = this.#clock.now()
    const deadline = batch.firstSentAt + this.#deliveryTimeoutMs
    if (now >= deadline) {
      queue.replaceOldest(nothing)
      this.accumulator.release(queue)
      return this.#failBatch(batch, expired(batch, this.#deliveryTimeoutMs))
    }
    this.#out.add(batch)
    if (this.#compresses) batch.records.onPacked = (bytes) => this.#holdPacked(batch, bytes)
    this.#produce(batch, deadline, (outcome) => this.#ended(queue, batch, outcome, now))
    this.#metrics.observe('tidemark_producer_batch_bytes', queue.labels, batch.sizeBytes)
  }

  #holdPacked(batch: GrowingBatch, bytes: number): void {
    // A codec may end after its batch.
    if (!this.#isOut(batch)) return
    batch.packedBytes += bytes
    this.#memory.overdraw(bytes)
  }

  /** The driver promises never to fail; one that does has told nothing, so nothing is claimed. */
  #produce(batch: GrowingBatch, deadline: number, told: (outcome: BatchOutcome) => void): void {
    const failed = (cause: unknown) => told(driverFailed(batch, cause))
    try {
      void this.#driver.produce(batch, deadline).then(told, failed)
    } catch (cause) {
      // Not at once: it is still being handed over.
      queueMicrotask(() => failed(cause))
    }
  }

  #isOut(batch: GrowingBatch): boolean {
    return batch.set === this.#out
  }

  #ended(queue: PartitionQueue, batch: GrowingBatch, outcome: BatchOutcome, handedOverAt: number): void {
    // Told twice: it was abandoned.
    if (!this.#out.delete(batch)) return
    if (this.#compresses) batch.records.onPacked = null
    const { ended, again } = afterwards(batch, outcome)
    queue.replaceOldest(again)
    if (isRecalled(outcome) && again.length > 0) this.accumulator.releaseAfterRest(queue)
    else this.accumulator.release(queue)
    if (batch.packedBytes > 0) this.#memory.release(batch.packedBytes)
    if (ended !== null) this.#settle(ended, outcome)
    const seconds = (this.#clock.now() - handedOverAt) / 1_000
    this.#metrics.observe('tidemark_producer_send_seconds', queue.labels, seconds)
  }

  #settle(batch: GrowingBatch, outcome: BatchOutcome): void {
    if (outcome.outcome === 'stored') this.#resolveBatch(batch, outcome)
    else this.#failBatch(batch, sendError(batch, outcome))
  }

  #resolveBatch(batch: GrowingBatch, { baseOffset, logAppendTime }: BatchOutcome & { outcome: 'stored' }): void {
    batch.stored(baseOffset, logAppendTime)
    this.#close(batch, 'stored')
  }

  #failBatch(batch: GrowingBatch, error: SendError): void {
    batch.failed(error)
    const { topic } = batch
    const { outcome, code: reason } = error
    this.#metrics.count('tidemark_producer_failures_total', { topic, outcome, reason })
    this.#close(batch, outcome)
  }

  #close(batch: GrowingBatch, outcome: BatchOutcome['outcome']): void {
    this.#memory.release(batch.memoryBytes)
    for (const ended of batch.onEnded) ended()
    const labels = this.#labels.of(batch.topic, outcome)
    this.#metrics.count('tidemark_producer_records_total', labels, batch.records.count)
    this.#metrics.count('tidemark_producer_batches_total', labels)
    this.#metrics.gauge('tidemark_producer_buffer_bytes', noLabels, this.#memory.usedBytes)
  }
}

const noLabels = {}

/** Kept, since adapters know the same labels again. */
class OutcomeLabels {
  readonly #byTopic = new Map<string, Map<string, EndLabels>>()

  of(topic: string, outcome: BatchOutcome['outcome']): EndLabels {
    let byOutcome = this.#byTopic.get(topic)
    if (byOutcome === undefined) this.#byTopic.set(topic, (byOutcome = new Map()))
    let labels = byOutcome.get(outcome)
    if (labels === undefined) byOutcome.set(outcome, (labels = { topic, outcome }))
    return labels
  }
}

interface EndLabels {
  readonly topic: string
  readonly outcome: BatchOutcome['outcome']
}

/** Refusals that one record may have caused, or that a smaller batch may not meet. */
const causedByOne: ReadonlySet<string> = new Set([
  'message-too-large',
  'record-list-too-large',
  'invalid-record',
  'invalid-timestamp',
])

const nothing: readonly never[] = []

interface Afterwards {
  /** What has its outcome. */
  readonly ended: GrowingBatch | null
  /** What goes in the batch's place. */
  readonly again: readonly GrowingBatch[]
}

/**
 * Nothing of a refused batch was stored, so those of its records that nothing is wrong with may go again: all but the ones
 * that the broker names, or halves, in order, until they pass or a single record is refused. Of a batch that was recalled
 * all but those that were taken back.
 */
function afterwards(batch: GrowingBatch, outcome: BatchOutcome): Afterwards {
  const { count } = batch.records
  if (outcome.outcome !== 'not-stored' || count < 2) return { ended: batch, again: nothing }
  if (isRecalled(outcome)) {
    const { taken, rest } = batch.without(batch.takenBack)
    return { ended: taken, again: rest.records.count === 0 ? [] : [rest] }
  }
  const refused = new Set((outcome.refused ?? []).map(({ index }) => index).filter((index) => index < count))
  if (refused.size > 0 && refused.size < count) {
    const { taken, rest } = batch.without(refused)
    return { ended: taken, again: [rest] }
  }
  if (refused.size === 0 && causedByOne.has(outcome.error.code)) return { ended: null, again: batch.split() }
  return { ended: batch, again: [] }
}

function isRecalled(outcome: BatchOutcome): boolean {
  return outcome.outcome === 'not-stored' && outcome.error.code === recalledCode
}

function sendError(batch: GrowingBatch, outcome: Exclude<BatchOutcome, { outcome: 'stored' }>): SendError {
  const { topic, partition } = batch
  const { error } = outcome
  const isUnknown = outcome.outcome === 'unknown'
  const verdict = isUnknown
    ? 'unknown, the broker may have it; send it again only with an id that the reader de-duplicates'
    : 'not stored, it is safe to send again'
  const words = outcome.outcome === 'not-stored' ? (outcome.refused?.[0]?.message ?? null) : null
  const message = words === null ? error.message : `${error.message}; the broker says of the record: ${words}`
  return new SendError(error.code, outcome.outcome, `${message}; outcome: ${verdict}`, {
    topic,
    partition,
    cause: error,
    retriable: !isUnknown && error.retriable,
  })
}

function driverFailed({ topic, partition }: GrowingBatch, cause: unknown): BatchOutcome {
  const message = `the driver failed to tell what became of a batch for ${topic} partition ${partition} (see cause)`
  return { outcome: 'unknown', error: new DriverError('driver-failed', message, { topic, partition, cause }) }
}

function expired({ topic, partition }: GrowingBatch, deliveryTimeoutMs: number): SendError {
  return new SendError(
    'delivery-timeout',
    'not-stored',
    `a record for ${topic} partition ${partition} waited ${deliveryTimeoutMs} ms (deliveryTimeoutMs) behind others and was never sent; send it again, or send less at once`,
    { topic, partition, retriable: true },
  )
}
