/** Subpath `tidemark/opentelemetry`: traces and metrics for OpenTelemetry (`@opentelemetry/api` is a peer dependency). */
export { openTelemetryMetrics, type OpenTelemetryMetricsOptions } from './opentelemetry/metrics.js'
export { openTelemetryTracing, type OpenTelemetryTracingOptions } from './opentelemetry/tracing.js'
