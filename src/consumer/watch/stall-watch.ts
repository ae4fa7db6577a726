import type { DriverConsumer } from '../../driver/consumer.js'
import type { Clock, Timer } from '../../runtime/clock.js'
import type { WaitsFor } from '../../telemetry/events.js'
import type { Telemetry } from '../../telemetry/guard.js'
import { tell } from '../../telemetry/tell.js'
import type { OwnedPartition } from '../partition/owned-partition.js'
import { deletedTopics } from './deleted-topics.js'
import { LagGauges } from './lag-gauges.js'
import { workOf } from './waits-for.js'

export interface StallWatchParts {
  /** Work without progress for so long is a stall; 0 warns of none. */
  readonly warnAfterMs: number
  /** How long a broker may hold a fetch. */
  readonly fetchMaxWaitMs: number
  /** What records wait for, once they are fetched. */
  readonly handledBy: 'handler' | 'loop'
  readonly partitions: () => readonly OwnedPartition[]
  readonly driver: () => Pick<DriverConsumer, 'endOf' | 'facts'>
  /** Start of the oldest handler call, by `clock.now()`. */
  readonly oldestHandlerStartedAt: () => number | null
  readonly clock: Clock
  readonly telemetry: Telemetry
}

/** How the work of a partition goes. */
export interface Progress {
  /** `null`: there is nothing to do. */
  readonly waitsFor: WaitsFor | null
  /** How long there has been work and nothing was settled. */
  readonly stalledMs: number
}

const leastCheckMs = 250
const mostCheckMs = 5_000
/** A partition without any news of its end for so long, beside the time of a fetch, cannot be said to have no work. */
const blindAfterMs = 15_000

/**
 * Looks every few seconds whether partitions that have work make progress, and whether fetches are answered; tells a
 * stall once, and its end. Reads, changes nothing. No timer while nothing is owned.
 *
 * | a partition | at a look             | becomes |
 * |-------------|-----------------------|---------|
 * | at rest     | has work              | at work, since the last look without work or the last progress |
 * | at work     | has none, or progress | at rest, or at work since then |
 * | at work     | none for `warnAfterMs`| stalled: one warning, counted |
 * | stalled     | progress, or no work  | at work or at rest: told |
 * | stalled     | is no longer ours     | forgotten; the drain report tells about it |
 */
export class StallWatch {
  readonly #parts: StallWatchParts
  /** When a partition was last seen without work. */
  readonly #atRestAt = new Map<OwnedPartition, number>()
  /** The progress that a stall was told since. */
  readonly #stalledSince = new Map<OwnedPartition, number>()
  #nothingToFetchAt = -Infinity
  /** When it was told that no fetch is answered. */
  #unansweredAt: number | null = null
  #timer: Timer | null = null
  #state: 'open' | 'closed' = 'open'
  readonly #lag: LagGauges
  #endScrapes: (() => void) | null = null

  constructor(parts: StallWatchParts) {
    this.#parts = parts
    this.#lag = new LagGauges({ ...parts, metrics: parts.telemetry.metrics })
  }

  /** Partitions were taken. */
  wake(): void {
    if (this.#timer !== null || this.#state === 'closed') return
    this.#nothingToFetchAt = this.#parts.clock.now()
    this.#endScrapes ??= this.#parts.telemetry.metrics.onScrape(() => this.#gauges())
    this.#arm()
  }

  /** No timer is left. */
  close(): void {
    this.#state = 'closed'
    this.#timer?.cancel()
    this.#timer = null
    this.#endScrapes?.()
    this.#lag.close()
  }

  progressOf(partition: OwnedPartition): Progress {
    const now = this.#parts.clock.now()
    const { driver, fetchMaxWaitMs, handledBy } = this.#parts
    const told = workOf(partition, driver().endOf(partition), now - blindAfterMs - fetchMaxWaitMs)
    const found = told === 'fetch' && deletedTopics(driver()).has(partition.topic) ? null : told
    const waitsFor = handledBy === 'loop' && (found === 'handler' || found === 'place') ? 'loop' : found
    const since = Math.max(partition.lastProgressAt, this.#atRestAt.get(partition) ?? partition.lastProgressAt)
    return { waitsFor, stalledMs: waitsFor === null ? 0 : Math.max(0, now - since) }
  }

  /** How long no fetch was answered although there are partitions to fetch; 0 when there are none. */
  pollAgeMs(): number {
    const { clock, partitions, driver } = this.#parts
    const wanted = partitions().filter(({ state, gate }) => state.current === 'active' && gate.isOpen('fetch'))
    if (wanted.length === 0) return 0
    const deleted = deletedTopics(driver())
    if (deleted.size > 0 && wanted.every(({ topic }) => deleted.has(topic))) return 0
    const lastFetchAt = driver().facts().lastFetchAt ?? -Infinity
    return Math.max(0, clock.now() - Math.max(lastFetchAt, this.#nothingToFetchAt, oldest(partitions())))
  }

  #arm(): void {
    const { clock, warnAfterMs } = this.#parts
    const checkMs = warnAfterMs === 0 ? mostCheckMs : Math.min(mostCheckMs, Math.max(leastCheckMs, warnAfterMs / 4))
    this.#timer = clock.setTimer(checkMs, () => {
      this.#timer = null
      this.#look()
    })
  }

  #look(): void {
    const partitions = this.#parts.partitions()
    if (partitions.length === 0) this.#forgetPoll()
    this.#forgetGone(new Set(partitions))
    for (const partition of partitions) this.#lookAt(partition)
    this.#lookAtPoll()
    this.#gauges()
    if (partitions.length > 0) this.#arm()
  }

  #forgetGone(owned: ReadonlySet<OwnedPartition>): void {
    for (const known of [this.#atRestAt, this.#stalledSince]) {
      for (const partition of known.keys()) if (!owned.has(partition)) known.delete(partition)
    }
  }

  #lookAt(partition: OwnedPartition): void {
    const { clock, warnAfterMs } = this.#parts
    const { waitsFor, stalledMs } = this.progressOf(partition)
    if (waitsFor === null) this.#atRestAt.set(partition, clock.now())
    const told = this.#stalledSince.get(partition)
    const since = clock.now() - stalledMs
    if (told !== undefined && (waitsFor === null || since > told)) this.#tellEnd(partition, since - told)
    const isStalled =
      warnAfterMs > 0 && waitsFor !== null && stalledMs >= warnAfterMs && !this.#isToldElsewhere(partition, waitsFor)
    if (isStalled && !this.#stalledSince.has(partition)) this.#tellStall(partition, waitsFor, stalledMs)
  }

  /** A partition that stopped, letters that are not stored, an outage, a registry that does not tell a schema, a watermark that stands, brokers of which none answers: whoever met it tells it. */
  #isToldElsewhere({ deadLetterFailures }: OwnedPartition, waitsFor: WaitsFor): boolean {
    if (waitsFor === 'fetch') return this.pollAgeMs() >= this.#parts.warnAfterMs
    if (waitsFor === 'dead-letter') return deadLetterFailures > 0
    return waitsFor === 'seek' || waitsFor === 'outage' || waitsFor === 'order' || waitsFor === 'schema'
  }

  #tellStall(partition: OwnedPartition, waitsFor: WaitsFor, stalledMs: number): void {
    const { clock, telemetry, driver } = this.#parts
    this.#stalledSince.set(partition, clock.now() - stalledMs)
    tell(telemetry, {
      kind: 'stalled',
      topic: partition.topic,
      partition: partition.partition,
      offset: partition.tracker.committable,
      waitsFor,
      stalledMs,
      running: partition.lanes.running,
      unsettled: partition.heldRecords,
      end: driver().endOf(partition)?.offset ?? null,
      ...(waitsFor === 'retry' && { error: partition.lastFailure }),
    })
  }

  #tellEnd(partition: OwnedPartition, stalledMs: number): void {
    this.#stalledSince.delete(partition)
    const { topic, partition: number } = partition
    const offset = partition.tracker.committable
    tell(this.#parts.telemetry, { kind: 'stall-ended', topic, partition: number, offset, stalledMs })
  }

  #lookAtPoll(): void {
    const { clock, warnAfterMs, fetchMaxWaitMs, telemetry, driver } = this.#parts
    const pollAgeMs = this.pollAgeMs()
    if (pollAgeMs === 0) this.#nothingToFetchAt = clock.now()
    // That nothing is asked for any more says nothing of the brokers: only an answer does.
    if (this.#unansweredAt !== null && (driver().facts().lastFetchAt ?? -Infinity) > this.#unansweredAt) {
      this.#unansweredAt = null
      tell(telemetry, { kind: 'fetch-answered' })
    }
    const isLate = warnAfterMs > 0 && pollAgeMs >= warnAfterMs + fetchMaxWaitMs
    if (!isLate || this.#unansweredAt !== null) return
    this.#unansweredAt = clock.now()
    tell(telemetry, { kind: 'fetch-unanswered', pollAgeMs })
  }

  /** Nothing is ours to be fetched, so no answer will end it. */
  #forgetPoll(): void {
    this.#unansweredAt = null
    this.#parts.telemetry.troubles?.forget('fetch-unanswered')
  }

  #gauges(): void {
    const { clock, oldestHandlerStartedAt } = this.#parts
    const { metrics } = this.#parts.telemetry
    const now = clock.now()
    metrics.gauge('tidemark_consumer_stalled_partitions', {}, this.#stalledSince.size)
    metrics.gauge('tidemark_consumer_poll_age_seconds', {}, this.pollAgeMs() / 1000)
    this.#lag.tell()
    metrics.gauge('tidemark_consumer_oldest_handler_seconds', {}, (now - (oldestHandlerStartedAt() ?? now)) / 1000)
  }
}

/** When the first of these partitions was taken: nothing could be fetched before. */
function oldest(partitions: readonly OwnedPartition[]): number {
  return Math.min(...partitions.map((partition) => partition.takenAt))
}
