import {
  BatchSpanProcessor,
  type InMemorySpanExporter,
  NodeTracerProvider,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node'

/** So many of the traces are sampled. */
export const sampled = 0.01

/** An SDK of OpenTelemetry as services have it, not registered yet. */
export function samplingSdk(exporter: InMemorySpanExporter): NodeTracerProvider {
  return new NodeTracerProvider({
    spanProcessors: [new BatchSpanProcessor(exporter)],
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampled) }),
  })
}
