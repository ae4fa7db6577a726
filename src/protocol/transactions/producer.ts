import type { Connection } from '../../connection/connection.js'
import type { DriverProducer, ProducerSettings } from '../../driver/producer.js'
import type { Runtime } from '../../runtime/runtime.js'
import { createProtocolProducer } from '../produce/producer.js'
import { TransactionalIdentity } from './identity.js'
import { Transactions } from './transactions.js'

/** How long a close may take to abort what is open; what is not aborted then the brokers abort at its timeout. */
const abortMs = 500

/** A producer that sends in transactions alone, under one transactional id. */
export function createTransactionalProducer(
  connection: Connection,
  runtime: Runtime,
  settings: ProducerSettings & { readonly transactionalId: string },
): DriverProducer {
  const { transactionalId } = settings
  const identity = new TransactionalIdentity(transactionalId)
  let made: Transactions | null = null
  const producer = createProtocolProducer(connection, runtime, settings, ({ cluster }) => {
    made = new Transactions(transactionalId, identity, { cluster, runtime, settings })
    return identity
  })
  const transactions = made as Transactions | null
  return {
    ...{ connect: (deadline) => producer.connect(deadline), partitionCount: (topic) => producer.partitionCount(topic) },
    hasLeader: (topic, partition) => producer.hasLeader?.(topic, partition) ?? true,
    loadTopic: (topic, deadline) => producer.loadTopic(topic, deadline),
    produce: (batch, deadline) => producer.produce(batch, deadline),
    recall: (batch) => producer.recall?.(batch) ?? false,
    ...(transactions === null ? {} : { transactions }),
    close: async () => {
      await transactions?.close(runtime.clock.now() + abortMs)
      await producer.close()
    },
  }
}
