import { context, propagation, trace } from '@opentelemetry/api'
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace-node'
import { openTelemetryTracing } from '../src/opentelemetry.js'
import type { Library } from './library.js'
import { samplingSdk } from './sampling-sdk.js'

/** tidemark with a whole SDK of OpenTelemetry that samples one trace in a hundred; `use` has it registered only meanwhile. */
export interface TracedLibrary {
  readonly library: Library
  use<Result>(work: () => Promise<Result>): Promise<Result>
}

export function tracedLibrary(library: Library): TracedLibrary {
  const exporter = new InMemorySpanExporter()
  return {
    library: { ...library, tracing: openTelemetryTracing() },
    use: async (work) => {
      const provider = samplingSdk(exporter)
      provider.register()
      try {
        return await work()
      } finally {
        trace.disable()
        context.disable()
        propagation.disable()
        await provider.shutdown()
        exporter.reset()
      }
    },
  }
}
