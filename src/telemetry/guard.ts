import { asLogger } from './foreign-logger.js'
import type { ClientEvent } from './events.js'
import { consoleLogger, silentLogger, type Logger } from './logger.js'
import type { Troubles } from './troubles.js'
import { noMetrics, type Metrics, type MetricsAdapter } from './metrics.js'
import { shareGauges } from './shared-gauges.js'
import type { Tracing } from './tracing.js'

/** What a client tells of itself with, made once for each. */
export interface Telemetry {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Hears what happened; never throws. */
  readonly onEvent?: ((event: ClientEvent) => void) | undefined
  /** Makes spans; never throws. Missing: there are none. */
  readonly tracing?: Tracing | undefined
  /** @internal Keeps what lasts, and says when it is told again. Without it each telling is told. */
  readonly troubles?: Troubles | undefined
}

/** What the user gave to be told with; nothing of it throws any more. */
export interface GuardedTelemetry {
  readonly logger: Logger
  readonly metrics: MetricsAdapter
}

/**
 * Runs foreign code in which nothing may go wrong for us: what it throws, and what a promise of it rejects with, goes to
 * `failed`, once. A `then` is called once.
 */
function harmless(call: () => unknown, failed: (error: unknown) => void): void {
  try {
    heedRejection(call(), failed)
  } catch (error) {
    failed(error)
  }
}

/** Of what foreign code answers where nothing is awaited. Throws what a `then` that is foreign too throws. */
export function heedRejection(result: unknown, failed: (error: unknown) => void): void {
  if ((typeof result !== 'object' && typeof result !== 'function') || result === null) return
  const { then } = result as { readonly then?: unknown }
  if (typeof then === 'function') then.call(result, undefined, failed)
}

/** A listener of the user is told something. That it throws or rejects is logged and counted, and changes nothing. */
export function tellListener(name: string, call: () => unknown, { logger, metrics }: Telemetry): void {
  harmless(call, (error) => {
    metrics.count('tidemark_foreign_failures_total', { source: name })
    logger.error({ listener: name, error }, 'a listener threw; what it was told of goes on as if it had not')
  })
}

/**
 * The same logger and metrics, which no longer throw or reject. Whatever one of them throws is counted, and its first time
 * told: of the logger by `lastResort`, since it cannot tell itself.
 *
 * @param lastResort default: standard error
 */
export function guarded(
  logger: Logger,
  metrics: MetricsAdapter,
  client: string,
  lastResort: Pick<Logger, 'error'> = consoleLogger(),
): GuardedTelemetry {
  const own: { logger: Logger; metrics: MetricsAdapter } = { logger: silentLogger, metrics: noMetrics }
  const isTold = { logger: false, metrics: false }
  const loggerFailed = (error: unknown) => {
    own.metrics.count('tidemark_foreign_failures_total', { client, source: 'logger' })
    if (isTold.logger) return
    isTold.logger = true
    lastResort.error({ error }, 'the logger threw; its lines are lost as long as it does')
  }
  const metricsFailed = (error: unknown) => {
    if (isTold.metrics) return
    isTold.metrics = true
    own.logger.error({ error }, 'the metrics adapter threw; its measurements are lost as long as it does')
  }
  if (logger !== silentLogger) own.logger = guardedLogger(asLogger(logger), loggerFailed)
  if (metrics !== noMetrics) own.metrics = guardedMetrics(metrics, metricsFailed)
  return own
}

type Failed = (error: unknown) => void

function guardedLogger(logger: Logger, failed: Failed): Logger {
  const line = (level: keyof Logger) => (fields: object, message: string) =>
    harmless(() => logger[level](fields, message), failed)
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

function guardedMetrics(metrics: MetricsAdapter, failed: Failed): MetricsAdapter {
  const own: MetricsAdapter = {
    count: (name, labels, by) => harmless(() => metrics.count(name, labels, by), failed),
    gauge: (name, labels, value) => harmless(() => metrics.gauge(name, labels, value), failed),
    observe: (name, labels, value) => harmless(() => metrics.observe(name, labels, value), failed),
    forget: (name, labels) => harmless(() => metrics.forget?.(name, labels), failed),
    onScrape(read) {
      let end: (() => void) | undefined
      harmless(() => void (end = metrics.onScrape?.(read)), failed)
      return () => harmless(() => end?.(), failed)
    },
  }
  shareGauges(metrics, own)
  return own
}
