import type { ConsumerListener, DriverConsumer } from '../../src/driver/consumer.js'
import type { Driver } from '../../src/driver/driver.js'
import type { TopicPartition } from '../../src/message/topic-partition.js'
import type { GroupLedger } from './group-ledger.js'
import type { LoneLedger } from './lone-ledger.js'
import type { InFlight } from './tenures.js'

/** The same driver; the ledger hears what it tells its consumers, and where they seek. */
export function watchedDriver(
  driver: Driver,
  consumer: string,
  ledger: GroupLedger | LoneLedger,
  inFlight: () => InFlight,
  isToldStart: (place: TopicPartition, offset: number) => boolean,
): Driver {
  const { tenures } = ledger
  /** While the consumer hears of a reset: where it goes on instead, if it says so. */
  let goesOnAt: number | null = null
  let isResetting = false
  const watchedListener = (listener: ConsumerListener): ConsumerListener => ({
    assigned: async (partitions) => {
      ledger.assigned(consumer, partitions)
      await listener.assigned(partitions)
    },
    records: (fetched) => {
      tenures.fetched(consumer, fetched)
      listener.records(fetched)
    },
    revoked: async (partitions, deadline) => {
      tenures.revoked(consumer, partitions, inFlight())
      await listener.revoked(partitions, deadline)
      tenures.over(consumer, partitions)
    },
    reset: (former, assigned, reset) => {
      ledger.wasReset(consumer, former, reset)
      tenures.willBeLost(consumer, [former], inFlight())
      isResetting = true
      goesOnAt = null
      listener.reset(former, assigned, reset)
      isResetting = false
      tenures.over(consumer, [former])
      ledger.assigned(consumer, [{ ...assigned, position: goesOnAt ?? assigned.position }])
    },
    lost: (partitions) => {
      tenures.willBeLost(consumer, partitions, inFlight())
      listener.lost(partitions)
      tenures.over(consumer, partitions)
    },
    partitionFailed: (partition, error) => listener.partitionFailed(partition, error),
    failed: (error) => listener.failed(error),
  })
  const watchedConsumer = (inner: DriverConsumer): DriverConsumer => ({
    start: async (deadline) => inner.start(deadline),
    commit: async (offsets, deadline) => inner.commit(offsets, deadline),
    pause: (partition) => inner.pause(partition),
    resume: (partition) => inner.resume(partition),
    seek: (partition, offset, log) => {
      if (isResetting) goesOnAt = offset
      // A restart goes on in its place, and a told start where its user said: nobody is excused from what lies before.
      else if (log === 'read' || isToldStart(partition, offset)) tenures.sought(consumer, partition, offset)
      else ledger.sought(consumer, partition, offset)
      inner.seek(partition, offset, log)
    },
    assignment: () => inner.assignment(),
    endOf: (partition) => inner.endOf(partition),
    facts: () => inner.facts(),
    stop: async (deadline) => inner.stop(deadline),
  })
  return {
    ...driver,
    createConsumer: (settings, listener) => watchedConsumer(driver.createConsumer(settings, watchedListener(listener))),
  }
}
