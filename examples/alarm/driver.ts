import type { Driver } from 'tidemark'

/** Real Kafka at these addresses (`host:port`, comma-separated), or the in-process one when there are none. */
export async function openDriver(brokers: string | undefined): Promise<Driver> {
  // Loaded on demand: kafkajs is an optional peer, and the embedded demo must run without it.
  if (brokers === undefined) return (await import('tidemark/memory')).memory()
  const addresses = brokers.split(',').map((address) => address.trim())
  return (await import('tidemark/kafkajs')).kafkajs({ brokers: addresses })
}
