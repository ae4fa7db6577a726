import type { ConsumerListener } from '../../src/driver/consumer.js'
import type { Driver } from '../../src/driver/driver.js'
import type { GroupLedger } from './group-ledger.js'

/** The same driver; the ledger hears what it tells its consumers. */
export function watchedDriver(driver: Driver, consumer: string, ledger: GroupLedger): Driver {
  const watched = (listener: ConsumerListener): ConsumerListener => ({
    assigned: async (partitions) => {
      ledger.assigned(consumer, partitions)
      await listener.assigned(partitions)
    },
    records: (fetched) => {
      ledger.fetched(consumer, fetched)
      listener.records(fetched)
    },
    revoked: async (partitions, deadline) => {
      ledger.becomes(consumer, partitions, 'draining')
      await listener.revoked(partitions, deadline)
      ledger.becomes(consumer, partitions, 'over')
    },
    lost: (partitions) => {
      listener.lost(partitions)
      ledger.becomes(consumer, partitions, 'over')
    },
    partitionFailed: (partition, error) => listener.partitionFailed(partition, error),
    failed: (error) => listener.failed(error),
  })
  return { ...driver, createConsumer: (settings, listener) => driver.createConsumer(settings, watched(listener)) }
}
