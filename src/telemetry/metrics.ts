import { metricNames, type LabelsOf, type MetricName, type MetricNameOf, type MetricScope } from './metric-names.js'
import type { Labels, MetricsAdapter } from './metrics-adapter.js'
import { sharedGaugesOf } from './shared-gauges.js'

export type { Labels, MetricsAdapter } from './metrics-adapter.js'

/** What the parts of one client measure with: labels as the table has them, but for those of the client itself. */
export interface Metrics {
  /** Adds to a counter. */
  count<Name extends MetricNameOf<'counter'>>(name: Name, labels: LabelsOf<Name>, by?: number): void
  /** Sets a gauge. */
  gauge<Name extends MetricNameOf<'gauge'>>(name: Name, labels: LabelsOf<Name>, value: number): void
  /** Records one value of a histogram. */
  observe<Name extends MetricNameOf<'histogram'>>(name: Name, labels: LabelsOf<Name>, value: number): void
  /** Tells no more of a gauge under these labels. */
  forget<Name extends MetricNameOf<'gauge'>>(name: Name, labels: LabelsOf<Name>): void
  /** Calls `read` before values are handed out, where the adapter can, until what it returns is called. */
  onScrape(read: () => void): () => void
  /** @internal Whoever measured does no more: its part in gauges is gone. */
  close?(): void
}

const nothingToEnd = () => undefined

export const noMetrics: Metrics & MetricsAdapter = {
  count() {},
  gauge() {},
  observe() {},
  forget() {},
  onScrape: () => nothingToEnd,
}

/**
 * The adapter for one client: what it measures has its labels, as far as the name has them. The same object of labels gives
 * the same object again, so whoever keeps one for each partition makes none for each record.
 */
export function scoped(metrics: MetricsAdapter, scope: MetricScope): Metrics {
  if (metrics === noMetrics) return noMetrics
  const own = scopeLabels(scope)
  const gauges = sharedGaugesOf(metrics).source((name, labels, value) => {
    if (value === null) metrics.forget?.(name, labels)
    else metrics.gauge(name, labels, value)
  })
  return {
    count: (name, labels, by) => metrics.count(name, own[name].with(labels), by),
    gauge: (name, labels, value) => gauges.set(name, own[name].with(labels), value),
    observe: (name, labels, value) => metrics.observe(name, own[name].with(labels), value),
    forget: (name, labels) => gauges.forget(name, own[name].with(labels)),
    onScrape: (read) => metrics.onScrape?.(read) ?? nothingToEnd,
    close: () => gauges.close(),
  }
}

/** Labels of the client with those that a measurement brings. */
class ScopeLabels {
  readonly #own: Labels
  readonly #whole = new WeakMap<Labels, Labels>()

  constructor(own: Labels) {
    this.#own = own
  }

  with(labels: Labels): Labels {
    let whole = this.#whole.get(labels)
    if (whole === undefined) this.#whole.set(labels, (whole = { ...this.#own, ...labels }))
    return whole
  }
}

function scopeLabels({ client, group = '' }: MetricScope): Readonly<Record<MetricName, ScopeLabels>> {
  const values: Labels = { client, group }
  const names = Object.keys(metricNames) as MetricName[]
  const own = names.map((name) => {
    const labels = (metricNames[name].labels as readonly string[]).filter((label) => label in values)
    return [name, new ScopeLabels(Object.fromEntries(labels.map((label) => [label, values[label] as string])))]
  })
  return Object.fromEntries(own) as Record<MetricName, ScopeLabels>
}
