import type { Driver } from 'tidemark'
import { createMemoryCluster, memory, type MemoryCluster } from 'tidemark/memory'

export interface MortalCluster {
  /** The cluster as the next life of this client sees it. */
  readonly driverOf: (client: string) => Driver
  /** Cuts the life of the client off, as its death would: no request of it reaches a broker any more. */
  readonly cut: (client: string) => void
}

/** A Kafka inside this process whose clients can be killed one by one. */
export function mortalCluster(): MortalCluster {
  const cluster = createMemoryCluster()
  const open = new Map<string, { close(): unknown }[]>()
  return {
    driverOf: (client) => {
      const seen = Object.create(cluster) as MemoryCluster
      seen.connectionFactory = () => {
        const factory = cluster.connectionFactory()
        return {
          ...factory,
          open: (...given) => {
            const connection = factory.open(...given)
            open.set(client, [...(open.get(client) ?? []), connection])
            return connection
          },
        }
      }
      return memory({ cluster: seen })
    },
    cut: (client) => {
      for (const connection of open.get(client) ?? []) connection.close()
      open.delete(client)
    },
  }
}
