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
}

/** What the parts of one client measure with: labels as the table has them, but for those of the client itself. */
export interface Metrics {
  /** Adds to a counter. */
  count<Name extends MetricNameOf<'counter'>>(name: Name, labels: LabelsOf<Name>, by?: number): void
  /** Sets a gauge. */
  gauge<Name extends MetricNameOf<'gauge'>>(name: Name, labels: LabelsOf<Name>, value: number): void
  /** Records one value of a histogram. */
  observe<Name extends MetricNameOf<'histogram'>>(name: Name, labels: LabelsOf<Name>, value: number): void
}

export const noMetrics: Metrics = { count() {}, gauge() {}, observe() {} }

/** The adapter for one client: what it measures has its labels, as far as the name has them. */
export function scoped(metrics: MetricsAdapter, scope: MetricScope): Metrics {
  if (metrics === noMetrics) return noMetrics
  const own = scopeLabels(scope)
  return {
    count: (name, labels, by) => metrics.count(name, { ...own[name], ...labels }, by),
    gauge: (name, labels, value) => metrics.gauge(name, { ...own[name], ...labels }, value),
    observe: (name, labels, value) => metrics.observe(name, { ...own[name], ...labels }, value),
  }
}

function scopeLabels({ client, group = '' }: MetricScope): Readonly<Record<MetricName, Labels>> {
  const values: Labels = { client, group }
  const names = Object.keys(metricNames) as MetricName[]
  const own = names.map((name) => {
    const labels = (metricNames[name].labels as readonly string[]).filter((label) => label in values)
    return [name, Object.fromEntries(labels.map((label) => [label, values[label]]))]
  })
  return Object.fromEntries(own) as Record<MetricName, Labels>
}
