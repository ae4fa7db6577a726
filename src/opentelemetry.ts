/** Subpath `tidemark/opentelemetry`: traces and metrics for OpenTelemetry (`@opentelemetry/api` is a peer dependency). */
export { openTelemetryTracing, type OpenTelemetryTracingOptions } from './opentelemetry/tracing.js'
