import { ConfigError } from '../errors.js'
import { metricNames, type MetricDefinition, type MetricName } from '../telemetry/metric-names.js'
import type { MetricsAdapter } from '../telemetry/metrics.js'
import { Series, type Sample } from './series.js'

/** What is needed of a `Registry` of prom-client. */
export interface PrometheusRegistry {
  registerMetric(metric: never): void
  getSingleMetric(name: string): unknown
}

/** Options of `prometheusMetrics`. */
export interface PrometheusMetricsOptions {
  /** A `Registry` of prom-client 15, yours or its global `register`: what prints it prints these metrics too. */
  readonly registry: PrometheusRegistry
}

/** Registered under the same name by any copy of this module. */
const mark = Symbol.for('tidemark.prometheus')

/** A metric as a registry asks for it. */
interface Registered {
  /** A registry of OpenMetrics takes `_total` off, and writes it again. */
  name: string
  readonly help: string
  readonly type: MetricDefinition['kind']
  readonly aggregator: 'sum' | 'max'
  readonly [mark]: Shared
  get(): Promise<{ readonly name: string; readonly values: readonly Sample[] }>
  reset(): void
}

/** What all who measure into one registry have in common. */
interface Shared {
  readonly series: ReadonlyMap<MetricName, Series>
  readonly readers: Set<() => void>
  /** One for all, which is how clients that share it find each other. */
  readonly adapter: MetricsAdapter
}

/**
 * Metrics for Prometheus, as the table `metricNames` has them. They are registered at once. Adapters of one registry share
 * its metrics, so several clients of a process may have one each; gauges are read when the registry is printed.
 *
 * @throws ConfigError when the registry is none, or has something else under one of the names
 * @example
 * import { register } from 'prom-client'
 * const messaging = createMessaging({ driver, metrics: prometheusMetrics({ registry: register }) })
 */
export function prometheusMetrics(options: PrometheusMetricsOptions): MetricsAdapter {
  return register(requireRegistry(options)).adapter
}

function adapterOf({ series, readers }: Omit<Shared, 'adapter'>): MetricsAdapter {
  const of = (name: MetricName) => series.get(name) as Series
  return {
    count: (name, labels, by = 1) => of(name).add(labels, by),
    gauge: (name, labels, value) => of(name).set(labels, value),
    observe: (name, labels, value) => of(name).observe(labels, value),
    forget: (name, labels) => of(name).forget(labels),
    onScrape: (read) => {
      readers.add(read)
      return () => void readers.delete(read)
    },
  }
}

function requireRegistry(options: PrometheusMetricsOptions | undefined): PrometheusRegistry {
  const registry: Partial<PrometheusRegistry> | undefined = options?.registry
  if (typeof registry?.registerMetric === 'function' && typeof registry.getSingleMetric === 'function')
    return registry as PrometheusRegistry
  throw problem(
    'is no registry of prom-client',
    'hand over a Registry: prometheusMetrics({ registry: new Registry() })',
  )
}

/** All of them, or, where something else has one of the names, none. */
function register(registry: PrometheusRegistry): Shared {
  const names = Object.keys(metricNames) as MetricName[]
  const there = names.map((name) => registry.getSingleMetric(name) as Partial<Registered> | undefined)
  const foreign = names.filter((_, at) => there[at] !== undefined && there[at][mark] === undefined)
  if (foreign.length > 0) {
    throw problem(
      `has something else under the name ${foreign.join(', ')}`,
      'register it under another name, or give tidemark a registry of its own and merge them with Registry.merge',
    )
  }
  const former = there.find((metric) => metric?.[mark] !== undefined)?.[mark]
  const shared = former ?? newlyShared(names)
  for (const [at, name] of names.entries()) {
    if (there[at] === undefined) registry.registerMetric(registered(name, shared) as never)
  }
  return shared
}

function newlyShared(names: readonly MetricName[]): Shared {
  const parts = {
    series: new Map(names.map((name) => [name, new Series(metricNames[name])])),
    readers: new Set<() => void>(),
  }
  return { ...parts, adapter: adapterOf(parts) }
}

function problem(message: string, fix: string): ConfigError {
  return new ConfigError('the options of prometheusMetrics', [{ path: 'registry', message, fix }])
}

/** Scrapes of which the readers have run already. */
const beingRead = new WeakSet<Shared>()

function registered(name: MetricName, shared: Shared): Registered {
  const { kind, meaning, unit, isSummed = kind !== 'gauge' }: MetricDefinition = metricNames[name]
  const series = shared.series.get(name) as Series
  return {
    name,
    help: `${meaning} Unit: ${unit}.`,
    type: kind,
    // Of the workers of a cluster: the age of the oldest is no sum of ages.
    aggregator: isSummed ? 'sum' : 'max',
    [mark]: shared,
    get() {
      readOnce(shared)
      const { name: printed, help, type, aggregator } = this
      return Promise.resolve({ name: printed, help, type, aggregator, values: series.samples(name) })
    },
    reset: () => series.clear(),
  }
}

/** A registry asks all its metrics one after another, without a pause: the first of them has all gauges read. */
function readOnce(shared: Shared): void {
  if (beingRead.has(shared)) return
  beingRead.add(shared)
  queueMicrotask(() => beingRead.delete(shared))
  for (const read of shared.readers) read()
}
