import { context, propagation, trace, type Attributes, type Tracer } from '@opentelemetry/api'
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
  type Sampler,
} from '@opentelemetry/sdk-trace-node'

/** One span, as tests compare it. */
export interface Told {
  readonly name: string
  readonly kind: number
  readonly id: string
  readonly parent: string | null
  readonly trace: string
  /** Ids of spans. */
  readonly links: readonly string[]
  readonly status: number
  readonly attributes: Attributes
  readonly exceptions: readonly (string | undefined)[]
}

export interface Traced {
  readonly tracer: Tracer
  readonly spans: () => readonly Told[]
  /** Spans of that name, oldest first. */
  readonly named: (name: string) => readonly Told[]
}

/** Runs with a whole SDK, registered as services do it, and without it afterwards. */
export async function withSdk(
  scenario: (traced: Traced) => Promise<void>,
  { sampler }: { readonly sampler?: Sampler } = {},
): Promise<void> {
  const exporter = new InMemorySpanExporter()
  const provider = new NodeTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampler !== undefined && { sampler }),
  })
  provider.register()
  const spans = () => exporter.getFinishedSpans().map(told)
  const named = (name: string) => spans().filter((span) => span.name === name)
  try {
    await scenario({ tracer: provider.getTracer('test'), spans, named })
  } finally {
    trace.disable()
    context.disable()
    propagation.disable()
    await provider.shutdown()
  }
}

function told(span: ReadableSpan): Told {
  const { spanId, traceId } = span.spanContext()
  return {
    name: span.name,
    kind: span.kind,
    id: spanId,
    parent: span.parentSpanContext?.spanId ?? null,
    trace: traceId,
    links: span.links.map((link) => link.context.spanId),
    status: span.status.code,
    attributes: span.attributes,
    exceptions: span.events.map((event) => event.attributes?.['exception.type'] as string | undefined),
  }
}
