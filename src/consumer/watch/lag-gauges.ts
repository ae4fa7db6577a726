import type { DriverConsumer } from '../../driver/consumer.js'
import type { Clock } from '../../runtime/clock.js'
import { noMetrics, type Metrics } from '../../telemetry/metrics.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import { deletedTopics } from './deleted-topics.js'

export interface LagGaugesParts {
  readonly partitions: () => readonly OwnedPartition[]
  readonly driver: () => Pick<DriverConsumer, 'endOf' | 'facts'>
  readonly clock: Clock
  readonly metrics: Metrics
}

/** One partition as it is told. */
interface Told {
  readonly labels: { readonly topic: string; readonly partition: number }
  /** When there was last nothing behind, or it was taken. */
  caughtUpAt: number
}

/**
 * How far each partition is behind its end: in records up to the lowest that is not settled, and in time. Of the time the age
 * of what was settled last is known, and since when there has been a lag: what is behind now is no older than either. Where
 * nothing is settled yet only the second is known.
 */
export class LagGauges {
  readonly #parts: LagGaugesParts
  readonly #told = new Map<OwnedPartition, Told>()

  constructor(parts: LagGaugesParts) {
    this.#parts = parts
  }

  tell(): void {
    const { partitions, metrics } = this.#parts
    if (metrics === noMetrics) return
    const owned = new Set(partitions())
    for (const partition of this.#told.keys()) if (!owned.has(partition)) this.#forget(partition, owned)
    if (owned.size === 0) return
    const deleted = deletedTopics(this.#parts.driver())
    for (const partition of owned) this.#tellOf(partition, deleted.has(partition.topic))
  }

  close(): void {
    for (const partition of this.#told.keys()) this.#forget(partition, nothing)
  }

  /** Of a topic that was deleted what was fetched counts: the end that was told last is of nothing any more. */
  #tellOf(partition: OwnedPartition, isDeleted: boolean): void {
    const { driver, clock, metrics } = this.#parts
    const end = driver().endOf(partition)
    if (end === null && !isDeleted) return
    const told = this.#toldOf(partition)
    const { committable } = partition.tracker
    const records = isDeleted ? partition.heldRecords : Math.max(0, (end?.offset ?? committable) - committable)
    if (records === 0) told.caughtUpAt = clock.now()
    const sinceMs = clock.now() - told.caughtUpAt
    const ageMs = partition.settledTimestamp < 0 ? sinceMs : clock.wallTime() - partition.settledTimestamp
    const isFresh = partition.settledTimestamp >= 0 && told.caughtUpAt === partition.takenAt
    const behindMs = isFresh ? ageMs : Math.min(ageMs, sinceMs)
    metrics.gauge('tidemark_consumer_lag_records', told.labels, records)
    metrics.gauge('tidemark_consumer_lag_seconds', told.labels, records === 0 ? 0 : Math.max(0, behindMs) / 1_000)
  }

  #toldOf(partition: OwnedPartition): Told {
    let told = this.#told.get(partition)
    if (told === undefined) {
      const { topic, partition: number, takenAt } = partition
      told = { labels: { topic, partition: number }, caughtUpAt: takenAt }
      this.#told.set(partition, told)
    }
    return told
  }

  /** After a seek another object stands for the same partition. */
  #forget(partition: OwnedPartition, owned: ReadonlySet<OwnedPartition>): void {
    const { labels } = this.#told.get(partition) as Told
    this.#told.delete(partition)
    for (const one of owned) if (one.topic === partition.topic && one.partition === partition.partition) return
    this.#parts.metrics.forget('tidemark_consumer_lag_records', labels)
    this.#parts.metrics.forget('tidemark_consumer_lag_seconds', labels)
  }
}

const nothing: ReadonlySet<OwnedPartition> = new Set()
