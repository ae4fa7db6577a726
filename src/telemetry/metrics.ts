import type { MetricName } from './metric-names.js'

export type Labels = Readonly<Record<string, string | number>>

/** Where measurements go. Calls must be cheap and must not throw. */
export interface Metrics {
  /** Adds to a counter. */
  count(name: MetricName, labels: Labels, by?: number): void
  /** Sets a gauge. */
  gauge(name: MetricName, labels: Labels, value: number): void
  /** Records one value of a histogram. */
  observe(name: MetricName, labels: Labels, value: number): void
}

export const noMetrics: Metrics = { count() {}, gauge() {}, observe() {} }
