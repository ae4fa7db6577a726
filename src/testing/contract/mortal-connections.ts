import type { Connection, ConnectionFactory } from '../../connection/connection.js'

export interface MortalConnections {
  readonly factory: ConnectionFactory
  /** Ends every connection of the client, as its death would: no request reaches a broker any more. */
  kill(clientId: string): void
}

/** The same connections, and the power to end those of one client without its doing. */
export function mortalConnections(factory: ConnectionFactory): MortalConnections {
  const open: { readonly owner: string; readonly connection: Connection }[] = []
  return {
    factory: {
      name: factory.name,
      open(owner, clientId, logger) {
        const connection = factory.open(owner, clientId, logger)
        open.push({ owner, connection })
        return connection
      },
    },
    kill(clientId) {
      for (const { owner, connection } of open) {
        // Closing never waits for an answer, so there is nothing to wait for here.
        if (owner.startsWith(`${clientId}-`)) void connection.close()
      }
    },
  }
}
