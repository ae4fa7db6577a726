import {
  metrics as globalMetrics,
  type Counter,
  type Histogram,
  type Meter,
  type MeterProvider,
  type Observable,
} from '@opentelemetry/api'
import { ConfigError } from '../errors.js'
import { optionIssues, withMethods, type Rules } from '../input/option-rules.js'
import { metricNames, type MetricDefinition, type MetricName } from '../telemetry/metric-names.js'
import type { Labels, MetricsAdapter } from '../telemetry/metrics.js'

/** Options of `openTelemetryMetrics`. */
export interface OpenTelemetryMetricsOptions {
  /** Default: the one named `tidemark` of `meterProvider`. */
  readonly meter?: Meter | undefined
  /** Default: the global one, which must be registered before this call. */
  readonly meterProvider?: MeterProvider | undefined
}

const rules: Rules<OpenTelemetryMetricsOptions> = {
  meter: withMethods('a Meter: provider.getMeter(name)', ['createCounter', 'createHistogram', 'createObservableGauge']),
  meterProvider: withMethods('a MeterProvider', ['getMeter']),
}

/** The last value of a gauge under each set of labels. */
type Gauge = Map<string, { readonly labels: Labels; value: number }>

/**
 * Metrics for OpenTelemetry, as the table `metricNames` has them: `tidemark_producer_records_total` is
 * `tidemark.producer.records`, so what an exporter for Prometheus makes of it has the name of the table again. Gauges of
 * consumers are read when they are collected.
 *
 * @throws ConfigError with every problem of the options
 * @example
 * const messaging = createMessaging({ driver, metrics: openTelemetryMetrics() })
 */
export function openTelemetryMetrics(options: OpenTelemetryMetricsOptions = {}): MetricsAdapter {
  const issues = optionIssues(options, rules)
  if (issues.length > 0) throw new ConfigError('openTelemetryMetrics', issues)
  const { meterProvider = globalMetrics, meter = meterProvider.getMeter('tidemark') } = options
  const known = ofMeters.get(meter)
  if (known !== undefined) return known
  const made = adapterOf(meter)
  ofMeters.set(meter, made)
  return made
}

/** One for each meter: its instruments, and how clients that share it find each other. */
const ofMeters = new WeakMap<Meter, MetricsAdapter>()

function adapterOf(meter: Meter): MetricsAdapter {
  const counters = new Map<MetricName, Counter>()
  const histograms = new Map<MetricName, Histogram>()
  const gauges = new Map<MetricName, Gauge>()
  const observables = new Map<Observable, Gauge>()
  const readers = new Set<() => void>()
  for (const [name, definition] of Object.entries(metricNames) as [MetricName, MetricDefinition][]) {
    const { kind, meaning: description, buckets } = definition
    const given = { description, unit: unitOf(definition) }
    const own = instrumentName(name)
    if (kind === 'counter') counters.set(name, meter.createCounter(own, given))
    else if (kind === 'gauge') {
      const gauge: Gauge = new Map()
      gauges.set(name, gauge)
      observables.set(meter.createObservableGauge(own, given), gauge)
    } else {
      const advice = buckets === undefined ? {} : { explicitBucketBoundaries: [...buckets] }
      histograms.set(name, meter.createHistogram(own, { ...given, advice }))
    }
  }
  meter.addBatchObservableCallback(
    (result) => {
      for (const read of readers) read()
      for (const [observable, gauge] of observables) {
        for (const { labels, value } of gauge.values()) result.observe(observable, value, labels)
      }
    },
    [...observables.keys()],
  )
  return {
    count: (name, labels, by = 1) => counters.get(name)?.add(by, labels),
    gauge(name, labels, value) {
      const gauge = gauges.get(name)
      const key = keyOf(name, labels)
      const known = gauge?.get(key)
      if (known === undefined) gauge?.set(key, { labels, value })
      else known.value = value
    },
    observe: (name, labels, value) => histograms.get(name)?.record(value, labels),
    forget: (name, labels) => void gauges.get(name)?.delete(keyOf(name, labels)),
    onScrape(read) {
      readers.add(read)
      return () => void readers.delete(read)
    },
  }
}

function keyOf(name: MetricName, labels: Labels): string {
  return JSON.stringify(metricNames[name].labels.map((label) => String(labels[label])))
}

/** Unit and kind stand beside the name, and exporters that want them in it put them there. */
function instrumentName(name: MetricName): string {
  const [prefix, part, ...rest] = name
    .replace(/_total$/, '')
    .replace(/_(seconds|bytes)$/, '')
    .split('_')
  return [prefix, part, rest.join('_')].filter((one) => one !== '').join('.')
}

/** As UCUM writes units; what is only counted stands in braces, which exporters leave out. */
function unitOf({ unit }: MetricDefinition): string {
  if (unit === 'seconds') return 's'
  return unit === 'bytes' ? 'By' : `{${unit}}`
}
