import type { MetricName } from '../../../src/telemetry/metric-names.js'
import type { Labels, Metrics } from '../../../src/telemetry/metrics.js'

/** Adds counters up over all labels, and by label. */
export class CountingMetrics implements Metrics {
  readonly totals = new Map<MetricName, number>()
  readonly labelled = new Map<string, number>()
  readonly gauges = new Map<MetricName, number>()

  count(name: MetricName, labels: Labels, by = 1): void {
    this.totals.set(name, (this.totals.get(name) ?? 0) + by)
    const key = `${name} ${Object.values(labels).join(' ')}`
    this.labelled.set(key, (this.labelled.get(key) ?? 0) + by)
  }

  gauge(name: MetricName, _labels: Labels, value: number): void {
    this.gauges.set(name, value)
  }

  observe(): void {}

  forget(name: MetricName): void {
    this.gauges.delete(name)
  }

  onScrape(): () => void {
    return () => undefined
  }

  total(name: MetricName): number {
    return this.totals.get(name) ?? 0
  }
}
