import type { ConnectionFactory } from '../connection/connection.js'
import type { ClientSettings } from '../driver/client-settings.js'
import type { Driver } from '../driver/driver.js'
import type { Runtime } from '../runtime/runtime.js'
import { createProtocolAdmin } from './admin/admin.js'
import { createProtocolConsumer } from './consume/consumer.js'
import { createProtocolProducer } from './produce/producer.js'
import { createTransactionalProducer } from './transactions/producer.js'

/** A driver made of tidemark's own protocol over any connection; every client gets a connection of its own. */
export function createProtocolDriver(connections: ConnectionFactory, runtime: Runtime): Driver {
  let opened = 0
  const open = ({ clientId, logger }: ClientSettings, role: string) =>
    connections.open(`${clientId}-${role}-${(opened += 1)}`, clientId, logger)
  return {
    name: connections.name,
    compressionProblem: connections.compressionProblem,
    runtime,
    createProducer: ({ transactionalId, ...settings }) => {
      const connection = open(settings, 'producer')
      return transactionalId === undefined
        ? createProtocolProducer(connection, runtime, settings)
        : createTransactionalProducer(connection, runtime, { ...settings, transactionalId })
    },
    createConsumer: (settings, listener) =>
      createProtocolConsumer(open(settings, 'consumer'), runtime, settings, listener),
    createAdmin: (settings) => createProtocolAdmin(open(settings, 'admin'), runtime, settings),
  }
}
