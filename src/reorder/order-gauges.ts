import type { Clock } from '../runtime/clock.js'
import type { Telemetry } from '../telemetry/guard.js'
import { noMetrics } from '../telemetry/metrics.js'
import type { HeldRecords } from './held-records.js'
import type { OrderedRecord } from './ordered-record.js'
import type { ReorderBuffer } from './reorder-buffer.js'
import type { ReorderCounts } from './reorder-limits.js'

const everyMs = 1_000

/** The order as metrics: how it stands at most once a second and when nothing is left in it, and what records went through. */
export class OrderGauges {
  readonly #buffer: ReorderBuffer<HeldRecords>
  readonly #policy: string
  readonly #clock: Clock
  readonly #telemetry: Telemetry
  /** Of each topic, made once: they go with every record. */
  readonly #labels = new Map<string, { readonly topic: string }>()
  #measuredAt = -Infinity
  #told: ReorderCounts | null = null
  #holder: { readonly topic: string; readonly partition: number } | null = null

  constructor(
    buffer: ReorderBuffer<HeldRecords>,
    policy: string,
    { clock, telemetry }: { readonly clock: Clock; readonly telemetry: Telemetry },
  ) {
    this.#buffer = buffer
    this.#policy = policy
    this.#clock = clock
    this.#telemetry = telemetry
  }

  look(): void {
    const { metrics } = this.#telemetry
    if (metrics === noMetrics) return
    const now = this.#clock.now()
    const buffer = this.#buffer
    if (now - this.#measuredAt < everyMs && buffer.bufferedRecords > 0) return
    this.#measuredAt = now
    metrics.gauge('tidemark_consumer_order_buffered_records', {}, buffer.bufferedRecords)
    metrics.gauge('tidemark_consumer_order_buffered_bytes', {}, buffer.bufferedBytes)
    metrics.gauge('tidemark_consumer_order_ready_records', {}, buffer.readyRecords)
    if (Number.isFinite(buffer.watermark)) {
      const lagMs = this.#clock.wallTime() - buffer.watermark
      metrics.gauge('tidemark_consumer_watermark_lag_seconds', {}, lagMs / 1_000)
    }
    this.#tellHolder()
    this.#tellCounts()
  }

  handedOut(run: readonly OrderedRecord<HeldRecords>[]): void {
    const { metrics } = this.#telemetry
    if (metrics === noMetrics) return
    const now = this.#clock.now()
    for (const { partition, value, lateByMs } of run) {
      const own = this.#labelsOf(partition.place.topic)
      metrics.observe('tidemark_consumer_order_wait_seconds', own, (now - value.takenUpAt) / 1_000)
      if (lateByMs !== null) metrics.observe('tidemark_consumer_late_by_seconds', own, lateByMs / 1_000)
    }
  }

  #labelsOf(topic: string): { readonly topic: string } {
    let own = this.#labels.get(topic)
    if (own === undefined) this.#labels.set(topic, (own = { topic }))
    return own
  }

  /** Which partition holds the watermark: the first question when it stands. */
  #tellHolder(): void {
    const { metrics } = this.#telemetry
    const before = this.#holder
    const holder = this.#buffer.bufferedRecords > 0 ? this.#buffer.slowest : null
    this.#holder = holder
    if (before !== null && (holder?.topic !== before.topic || holder.partition !== before.partition))
      metrics.gauge('tidemark_consumer_watermark_holder', before, 0)
    if (holder !== null) {
      const { topic, partition } = holder
      metrics.gauge('tidemark_consumer_watermark_holder', { topic, partition }, 1)
    }
  }

  #tellCounts(): void {
    const { metrics } = this.#telemetry
    const counts = this.#buffer.counts
    const more = (name: keyof ReorderCounts) => counts[name] - (this.#told?.[name] ?? 0)
    const late = more('late')
    if (late > 0) metrics.count('tidemark_consumer_late_records_total', { policy: this.#policy }, late)
    for (const what of ['forced', 'replayed', 'clamped', 'skipped', 'idleReleases'] as const) {
      const times = more(what)
      if (times > 0) metrics.count('tidemark_consumer_order_exceptions_total', { what: labels[what] }, times)
    }
    this.#told = counts
  }
}

const labels = {
  forced: 'forced',
  replayed: 'replayed',
  clamped: 'clamped',
  skipped: 'skipped',
  idleReleases: 'idle-release',
} as const
