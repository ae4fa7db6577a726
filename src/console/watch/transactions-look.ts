import type { TopicPartition } from '../../message/topic-partition.js'
import type { Messaging } from '../../messaging.js'
import type { TransactionsSight } from '../model/transactions-view.js'

/**
 * Looks at all transactions: at those that coordinators know, and, where readers of committed records do not see the end of
 * a partition, at who holds them up there. So brokers are asked about few partitions, however many there are.
 *
 * @throws DriverError also from brokers before Kafka 3.0, which tell of no transactions
 */
export async function lookAtTransactions({ admin, clock }: Messaging, timeoutMs: number): Promise<TransactionsSight> {
  const call = { timeoutMs }
  const [listed, topics] = await Promise.all([admin.listTransactions(call), admin.describeTopics(null, call)])
  const places = topics
    .filter(({ isInternal }) => !isInternal)
    .flatMap(({ name, partitions }) => {
      const led = partitions.filter(({ leader }) => leader >= 0)
      return led.map(({ partition }): TopicPartition => ({ topic: name, partition }))
    })
  const ids = listed.map(({ transactionalId }) => transactionalId)
  // Ends come after what is stable, so that nothing is hidden that was not.
  const stable = await admin.listOffsets(places, 'latest', { isolation: 'read-committed', ...call })
  const [ends, described] = await Promise.all([
    admin.listOffsets(places, 'latest', call),
    ids.length === 0 ? [] : admin.describeTransactions(ids, call),
  ])
  const held = places.flatMap((place, index) => {
    const hides = (ends[index] as number) - (stable[index] as number)
    return hides > 0 ? [{ ...place, hides }] : []
  })
  const open = held.length === 0 ? [] : await admin.openTransactions(held.map(placeOf), call)
  const found = new Set(open.map(({ topic, partition }) => `${topic} ${partition}`))
  return {
    at: clock.wallTime(),
    described,
    // What was written between the two answers is hidden by nobody.
    held: held.filter(({ topic, partition }) => found.has(`${topic} ${partition}`)),
    open,
  }
}

function placeOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}
