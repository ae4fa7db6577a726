import { propagation, trace, type TextMapPropagator, type Tracer, type TracerProvider } from '@opentelemetry/api'
import { ConfigError } from '../errors.js'
import { flag, optionIssues, withMethods, type Rules } from '../input/option-rules.js'
import type { TracingAdapter } from '../telemetry/tracing.js'
import { ClientTracing } from './client-tracing.js'
import { HeaderContexts } from './header-context.js'

/** Options of `openTelemetryTracing`. */
export interface OpenTelemetryTracingOptions {
  /** Makes the spans. Default: the one named `tidemark` of `tracerProvider`. */
  readonly tracer?: Tracer | undefined
  /** Default: the global one, also when it is registered later. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Reads and writes contexts in headers. Default: the global one, which the SDK sets to `traceparent`, `tracestate` and `baggage`. */
  readonly propagator?: TextMapPropagator | undefined
  /** Put keys of records into spans, as `messaging.kafka.message.key`: they may be data of people. Default false. */
  readonly messageKeys?: boolean | undefined
  /** A span `poll <topic>` for each partition whose records came in; it is part of no record's trace. Default false. */
  readonly receive?: boolean | undefined
  /** A span `commit <topic>` for each commit of offsets; it is part of no record's trace. Default false. */
  readonly settle?: boolean | undefined
  /**
   * `parent`: in a trace that is not sampled no span is asked for, as long as the tracer records none there: it is asked for
   * the first 16 of each operation and topic, and then for one in 256. `each`: it is asked for every span, for samplers that
   * now and then record what a parent does not. Default `parent`.
   */
  readonly sampling?: 'parent' | 'each' | undefined
}

const rules: Rules<OpenTelemetryTracingOptions> = {
  tracer: withMethods('a Tracer: provider.getTracer(name)', ['startSpan']),
  tracerProvider: withMethods('a TracerProvider', ['getTracer']),
  propagator: withMethods('a TextMapPropagator', ['inject', 'extract', 'fields']),
  messageKeys: flag,
  receive: flag,
  settle: flag,
  sampling: { expected: "'parent' or 'each'", accepts: (value) => value === 'parent' || value === 'each' },
}

/**
 * Spans for OpenTelemetry, by its conventions for messaging: `send` and `process`, with contexts in the headers of records,
 * and the span of a record active in its handler. It uses the API alone: without an SDK nothing is traced.
 *
 * @throws ConfigError with every problem of the options
 * @example
 * const messaging = createMessaging({ driver, tracing: openTelemetryTracing() })
 */
export function openTelemetryTracing(options: OpenTelemetryTracingOptions = {}): TracingAdapter {
  const issues = optionIssues(options, rules)
  if (issues.length > 0) throw new ConfigError('openTelemetryTracing', issues)
  const { tracerProvider = trace, propagator = propagation } = options
  const {
    tracer = tracerProvider.getTracer('tidemark'),
    messageKeys = false,
    receive = false,
    settle = false,
    sampling = 'parent',
  } = options
  const settings = { tracer, headers: new HeaderContexts(propagator), messageKeys, receive, settle, sampling }
  return { of: (scope) => new ClientTracing(settings, scope) }
}
