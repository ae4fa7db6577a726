import type { MetricName } from './metric-names.js'

/** Labels of a measurement by name, as `metricNames` lists them; none grows without bound. */
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
