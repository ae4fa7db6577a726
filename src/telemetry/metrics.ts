import { metricNames, type LabelsOf, type MetricName, type MetricNameOf, type MetricScope } from './metric-names.js'

export type Labels = Readonly<Record<string, string | number>>

/**
 * Where measurements go. Names, kinds, labels and buckets are those of `metricNames`; every measurement has all labels of
 * its name. Calls should be cheap; one that throws is told, and changes nothing.
 */
export interface MetricsAdapter {
  /** Adds to a counter; `by` is 1 when it is left out. */
  count(name: MetricName, labels: Labels, by?: number): void
  /** Sets a gauge. */
  gauge(name: MetricName, labels: Labels, value: number): void
  /** Records one value of a histogram. */
  observe(name: MetricName, labels: Labels, value: number): void
  /** Tells no more of a gauge under these labels: what it measured is no longer ours. Without it the gauge stays as it was last. */
  forget?: ((name: MetricName, labels: Labels) => void) | undefined
  /** Calls `read`, which sets gauges, before values are handed out, until what it returns is called. Without it they are some seconds old. */
  onScrape?: ((read: () => void) => () => void) | undefined
}

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
  return {
    count: (name, labels, by) => metrics.count(name, own[name].with(labels), by),
    gauge: (name, labels, value) => metrics.gauge(name, own[name].with(labels), value),
    observe: (name, labels, value) => metrics.observe(name, own[name].with(labels), value),
    forget: (name, labels) => metrics.forget?.(name, own[name].with(labels)),
    onScrape: (read) => metrics.onScrape?.(read) ?? nothingToEnd,
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
