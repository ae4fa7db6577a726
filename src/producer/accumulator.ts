import type { OutgoingRecord } from '../message/record.js'
import type { Clock, Timer } from '../runtime/clock.js'
import type { GrowingBatch, TakeBack } from './growing-batch.js'
import { PartitionQueue } from './partition-queue.js'
import type { Caller } from './caller.js'
import type { FailureCounts, Receipt, ReceiptSink } from './receipt.js'

export interface AccumulatorSettings {
  readonly batchBytes: number
  readonly lingerMs: number
  readonly deliveryTimeoutMs: number
}

/** The part of its time that a record may lose to the deadline of the oldest record in its batch. */
const lostToOthers = 0.1

/** Each time a batch comes back its records are written anew; and it comes back only when brokers cannot be reached. */
const restMs = 50

/**
 * Groups records by partition and says when a batch may go.
 *
 * Batches go at the next turn of the event loop, not at once: everything that was sent in this turn, and by everyone
 * whose promises were resolved in it, goes together.
 */
export class Accumulator {
  readonly #clock: Clock
  readonly #settings: AccumulatorSettings
  /** Somebody waits for memory that lingering records hold. */
  readonly #isPressed: () => boolean
  readonly #handOver: (queue: PartitionQueue) => void
  readonly #takeBack: TakeBack
  readonly #queues = new Map<string, PartitionQueue[]>()
  #ready: PartitionQueue[] = []
  readonly #lingering = new Set<PartitionQueue>()
  #lingerTimer: Timer | null = null
  #flushScheduled = false

  /**
   * @param handOver takes the oldest batch of a queue that has one; nothing of that queue is handed over until `release`.
   * @param takeBack is asked for records that are given up.
   */
  constructor(
    clock: Clock,
    settings: AccumulatorSettings,
    isPressed: () => boolean,
    handOver: (queue: PartitionQueue) => void,
    takeBack: TakeBack,
  ) {
    this.#clock = clock
    this.#settings = settings
    this.#isPressed = isPressed
    this.#handOver = handOver
    this.#takeBack = takeBack
  }

  queue(topic: string, partition: number): PartitionQueue {
    let queues = this.#queues.get(topic)
    if (queues === undefined) this.#queues.set(topic, (queues = []))
    return (queues[partition] ??= this.#newQueue(topic, partition))
  }

  add(
    queue: PartitionQueue,
    record: OutgoingRecord,
    sizeBytes: number,
    sentAt: number,
    sink: ReceiptSink,
    slot: number,
  ): void {
    const batch = queue.batchFor(sizeBytes, sentAt)
    batch.add(record, sizeBytes, sink, slot)
    this.#added(queue, batch, sentAt)
  }

  /** The same, of a send that has no promise yet and that nobody will want back. */
  join(
    queue: PartitionQueue,
    record: OutgoingRecord,
    sizeBytes: number,
    sentAt: number,
    failures: FailureCounts,
    caller: Caller | null,
  ): Promise<Receipt> {
    const batch = queue.batchFor(sizeBytes, sentAt)
    const receipt = batch.join(record, sizeBytes, failures, caller)
    this.#added(queue, batch, sentAt)
    return receipt
  }

  #added(queue: PartitionQueue, batch: GrowingBatch, sentAt: number): void {
    queue.added(batch)
    if (queue.state === 'empty') this.#makeReady(queue)
    else if (queue.state === 'lingering' && queue.isDue(sentAt, this.#settings.lingerMs)) this.#makeReady(queue)
  }

  /** The batch that was out came back. It goes again after a rest, so that who takes back often costs little. */
  releaseAfterRest(queue: PartitionQueue): void {
    queue.state = 'resting'
    this.#clock.setTimer(restMs, () => this.release(queue))
  }

  /** The batch that was out has ended; the queue is free for the next. */
  release(queue: PartitionQueue): void {
    queue.state = 'empty'
    if (queue.oldest !== undefined) this.#makeReady(queue)
  }

  /** Nothing that waits now lingers any longer. Returns the newest batch of each queue: when these have ended, all has. */
  seal(): readonly GrowingBatch[] {
    const newest: GrowingBatch[] = []
    for (const queue of this.#allQueues()) {
      const batch = queue.newest
      if (batch === undefined) continue
      batch.sealed = true
      newest.push(batch)
      if (queue.state === 'lingering') this.#makeReady(queue)
    }
    return newest
  }

  /** Memory ran out: what lingers goes now, to make room. */
  hurry(): void {
    for (const queue of this.#lingering) this.#makeReady(queue)
  }

  /** Takes out every batch that is not with the driver. */
  takeUnsent(): readonly GrowingBatch[] {
    this.#lingerTimer?.cancel()
    this.#lingering.clear()
    this.#ready = []
    return this.#allQueues().flatMap((queue) => queue.batches.splice(queue.state === 'out' ? 1 : 0))
  }

  #newQueue(topic: string, partition: number): PartitionQueue {
    const { batchBytes, deliveryTimeoutMs } = this.#settings
    return new PartitionQueue(topic, partition, batchBytes, lostToOthers * deliveryTimeoutMs, this.#takeBack)
  }

  #allQueues(): PartitionQueue[] {
    // A topic's list has holes where a partition was never written.
    return [...this.#queues.values()].flatMap((queues) => queues.filter((queue) => queue !== undefined))
  }

  #makeReady(queue: PartitionQueue): void {
    this.#lingering.delete(queue)
    queue.state = 'ready'
    this.#ready.push(queue)
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    this.#clock.defer(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const queues = this.#ready
    this.#ready = []
    const now = this.#clock.now()
    const lingerMs = this.#isPressed() ? 0 : this.#settings.lingerMs
    for (const queue of queues) {
      if (queue.isDue(now, lingerMs)) this.#handOver(queue)
      else this.#linger(queue, now)
    }
  }

  #linger(queue: PartitionQueue, now: number): void {
    if (queue.oldest === undefined) {
      queue.state = 'empty'
      return
    }
    queue.state = 'lingering'
    this.#lingering.add(queue)
    // Every queue lingers equally long, so the first that came is due first.
    this.#lingerTimer ??= this.#clock.setTimer(queue.oldest.firstSentAt + this.#settings.lingerMs - now, () =>
      this.#endLinger(),
    )
  }

  #endLinger(): void {
    this.#lingerTimer = null
    this.hurry()
  }
}
