import { metricNames, type MetricDefinition, type MetricName } from './metric-names.js'
import type { Labels, MetricsAdapter } from './metrics-adapter.js'

/** One gauge under one set of labels, of all who measure it. */
interface Gauge {
  readonly name: MetricName
  readonly labels: Labels
  readonly values: Map<GaugeSource, number>
}

/** What is done with what one of them measured: the value of all, or `null` when nobody measures it any more. */
type Tell = (name: MetricName, labels: Labels, value: number | null) => void

/**
 * Gauges of one adapter. Whoever measures under the same labels, as producers of one client do, or clients without a name of
 * their own, has a part in the value: the sum of the parts, or the most, as the table says.
 */
class SharedGauges {
  readonly #gauges = new Map<string, Gauge>()

  source(tell: Tell): GaugeSource {
    return new GaugeSource(this, tell)
  }

  of(name: MetricName, labels: Labels): Gauge {
    const key = keyOf(name, labels)
    let gauge = this.#gauges.get(key)
    if (gauge === undefined) this.#gauges.set(key, (gauge = { name, labels, values: new Map() }))
    return gauge
  }

  remove({ name, labels }: Gauge): void {
    this.#gauges.delete(keyOf(name, labels))
  }
}

/** One of those who measure. */
class GaugeSource {
  readonly #shared: SharedGauges
  readonly #tell: Tell
  readonly #own = new Set<Gauge>()
  #known = new WeakMap<Labels, Gauge>()
  #isClosed = false

  constructor(shared: SharedGauges, tell: Tell) {
    this.#shared = shared
    this.#tell = tell
  }

  set(name: MetricName, labels: Labels, value: number): void {
    if (this.#isClosed) return
    let gauge = this.#known.get(labels)
    if (gauge === undefined) {
      gauge = this.#shared.of(name, labels)
      this.#known.set(labels, gauge)
      this.#own.add(gauge)
    }
    gauge.values.set(this, value)
    this.#tell(name, gauge.labels, valueOf(gauge))
  }

  forget(name: MetricName, labels: Labels): void {
    if (!this.#isClosed) this.#leave(this.#shared.of(name, labels))
  }

  /** It measures no more. */
  close(): void {
    this.#isClosed = true
    for (const gauge of this.#own) this.#leave(gauge)
  }

  #leave(gauge: Gauge): void {
    gauge.values.delete(this)
    if (this.#own.delete(gauge)) this.#known = new WeakMap()
    const isLast = gauge.values.size === 0
    if (isLast) this.#shared.remove(gauge)
    this.#tell(gauge.name, gauge.labels, isLast ? null : valueOf(gauge))
  }
}

function valueOf({ name, values }: Gauge): number {
  const { isSummed = false }: MetricDefinition = metricNames[name]
  let [sum, most] = [0, Number.NEGATIVE_INFINITY]
  for (const value of values.values()) {
    sum += value
    most = Math.max(most, value)
  }
  return isSummed ? sum : most
}

function keyOf(name: MetricName, labels: Labels): string {
  return JSON.stringify([name, ...metricNames[name].labels.map((label) => String(labels[label]))])
}

/** By what the user gave, of which each client has its own guarded form. */
const ofAdapters = new WeakMap<MetricsAdapter, SharedGauges>()

export function sharedGaugesOf(adapter: MetricsAdapter): SharedGauges {
  let gauges = ofAdapters.get(adapter)
  if (gauges === undefined) ofAdapters.set(adapter, (gauges = new SharedGauges()))
  return gauges
}

/** `same` measures into what `adapter` does. */
export function shareGauges(adapter: MetricsAdapter, same: MetricsAdapter): void {
  ofAdapters.set(same, sharedGaugesOf(adapter))
}
