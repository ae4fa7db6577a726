import type { Messaging, MetricsAdapter } from 'tidemark'
import { healthServer } from 'tidemark/health'

/** What is measured, and the server that tells it. */
export interface Probes {
  readonly metrics: MetricsAdapter
  serve(messaging: Messaging): Promise<unknown>
}

/** `/live`, `/ready` and `/metrics` at an address, for who starts services and who watches them. */
export async function openProbes(address: string, name: string): Promise<Probes> {
  // Loaded on demand: prom-client is an optional peer.
  const [{ Registry }, { prometheusMetrics }] = await Promise.all([
    import('prom-client'),
    import('tidemark/prometheus'),
  ])
  const registry = new Registry()
  const { host, port } = toAddress(address)
  return {
    metrics: prometheusMetrics({ registry }),
    // In a network of containers it is asked by the name of the service.
    serve: (messaging) => healthServer({ messaging, host, port, hosts: [name], metrics: () => registry.metrics() }),
  }
}

export interface Address {
  readonly host: string
  readonly port: number
}

/** `8080`, on this machine alone, or `0.0.0.0:8080`. */
export function toAddress(text: string): Address {
  const [, host = '127.0.0.1', port] = /^(?:([^:\s]+):)?(\d{1,5})$/.exec(text) ?? []
  if (port === undefined || Number(port) > 65_535)
    throw new Error(`expected a port, as 8080, or an address with one, as 0.0.0.0:8080; got ${text}`)
  return { host, port: Number(port) }
}
