import type { Metrics } from '../../telemetry/metrics.js'
import type { OwnedPartition } from '../partition/owned-partition.js'

/** How much is held and how many partitions rest, as metrics. */
export class Gauges {
  readonly #partitions: () => readonly OwnedPartition[]
  readonly #metrics: Metrics

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

  changed(): void {
    const paused = this.#partitions().filter(({ gate }) => !gate.isOpen('fetch')).length
    this.#metrics.gauge('tidemark_consumer_in_flight', {}, this.inFlight)
    this.#metrics.gauge('tidemark_consumer_paused_partitions', {}, paused)
  }
}
