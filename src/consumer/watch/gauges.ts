import { noMetrics, type Metrics } from '../../telemetry/metrics.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

/** A partition as the gauges have it. */
interface Known {
  held: number
  isPaused: boolean
}

/**
 * How much is held and how many partitions rest, as metrics. Told whenever one of them changes, so each change is counted
 * by itself: looking at every partition would cost more than handling the record.
 */
export class Gauges {
  readonly #partitions: () => readonly OwnedPartition[]
  readonly #metrics: Metrics
  readonly #known = new Map<OwnedPartition, Known>()
  #held = 0
  #paused = 0

  constructor(partitions: () => readonly OwnedPartition[], metrics: Metrics) {
    this.#partitions = partitions
    this.#metrics = metrics
  }

  /** Records received and not settled. */
  get inFlight(): number {
    let records = 0
    for (const partition of this.#partitions()) records += partition.heldRecords
    return records
  }

  /** One partition holds more or less than before. */
  changedIn(partition: OwnedPartition): void {
    if (this.#metrics === noMetrics || partition.isGone) return
    const { held: heldBefore, isPaused: wasPaused } = this.#known.get(partition) ?? nothing
    const { held, isPaused } = this.#learn(partition)
    if (held !== heldBefore) this.#tellHeld((this.#held += held - heldBefore))
    if (isPaused !== wasPaused) this.#tellPaused((this.#paused += isPaused ? 1 : -1))
  }

  /** Partitions came, went, or were steered. */
  changed(): void {
    if (this.#metrics === noMetrics) return
    this.#known.clear()
    this.#held = 0
    this.#paused = 0
    for (const partition of this.#partitions()) {
      const { held, isPaused } = this.#learn(partition)
      this.#held += held
      if (isPaused) this.#paused += 1
    }
    this.#tellHeld(this.#held)
    this.#tellPaused(this.#paused)
  }

  #learn(partition: OwnedPartition): Known {
    const known = { held: partition.heldRecords, isPaused: !partition.gate.isOpen('fetch') }
    this.#known.set(partition, known)
    return known
  }

  #tellHeld(records: number): void {
    this.#metrics.gauge('tidemark_consumer_in_flight', noLabels, records)
  }

  #tellPaused(partitions: number): void {
    this.#metrics.gauge('tidemark_consumer_paused_partitions', noLabels, partitions)
  }
}

const nothing: Readonly<Known> = { held: 0, isPaused: false }
/** Told for each record, so it is made once. */
const noLabels = {}
