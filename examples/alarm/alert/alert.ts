import { DeadLetter, type HandlerContext, type Message } from 'tidemark'
import { isRefusedForGood, sqlOutbox, sqlPositions } from 'tidemark/sql'
import { writerOf, type Service, type ServiceParts } from '../service.js'
import type { Store, Tx } from '../store/store.js'
import { jsonTopics, type AlarmTopics, type AlertEvent, type AlertStatus } from '../topics.js'
import type { Tell } from './alert-rows.js'
import { applyEvents, note, type EventFate } from './apply-events.js'

const group = 'alert'

export type AlertCounts = { received: number } & Record<EventFate, number>

/** Each version of an alert is one record, with an id of its own: what comes twice can be told. */
export function tellBy({ db }: Store, { alertStatus }: AlarmTopics = jsonTopics): Tell {
  const outbox = sqlOutbox(db)
  const told = (value: AlertStatus) => ({ value, id: `${value.alert_id}.${value.version}` })
  return (tx, statuses) => outbox.addMany(tx, alertStatus, statuses.map(told))
}

/**
 * alerts → database → alert_status.
 *
 * One batch is one transaction: inbox, alerts, their log, what is to be told of them and the offset stand together or not at
 * all. Kafka's commit comes after it. A death in between brings the batch again, and the inbox makes it a no-op.
 */
export function alert({ messaging, store, topics = jsonTopics, ...options }: ServiceParts): Service<AlertCounts> {
  const positions = sqlPositions(store.db, { group })
  const tell = tellBy(store, topics)
  const relay = messaging.relay(sqlOutbox(store.db))
  const totals: AlertCounts = { received: 0, open: 0, merge: 0, escalate: 0, end: 0, drop: 0, ignore: 0, repeated: 0 }

  const handle = async (messages: readonly Message<AlertEvent>[], context: HandlerContext): Promise<void> => {
    const [first, last] = [messages[0], messages.at(-1)]
    if (!first || !last) return
    const events = messages.map(({ value }) => value)
    const write = <Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> =>
      positions.transaction(context, last, last.offset + 1, work)
    try {
      const fates = await write((tx) => applyEvents(tx, tell, events))
      totals.received += messages.length
      for (const fate of fates) totals[fate]++
    } catch (error) {
      if (messages.length > 1 || !isRefusedForGood(error)) throw error
      // Alone, and refused for good: the inbox says so, and the offset goes on with it.
      const letter = { consumer: group, event_id: first.value.event_id, outcome: 'dead-letter', alert_id: null }
      await write((tx) => note(tx, [letter]))
      throw new DeadLetter('the database refuses this event for good', error)
    }
    relay.wake()
  }

  const consumer = messaging.consumer({
    ...writerOf(group, options),
    topics: [topics.alerts],
    // Under `transactional` detect may take back what it sent.
    isolation: 'read-committed',
    deadLetter: topics.alertsDeadLetters.name,
    fetch: { minBytes: 1_048_576 },
    // Transactions that tell of many alerts side by side would wait for each other at the outbox.
    concurrency: 1,
    onAssigned: async (partitions, context) => void (await positions.take(partitions, context)),
    handleBatch: handle,
  })

  const start = async (): Promise<void> => {
    await relay.start()
    await consumer.start()
  }
  return { start, counts: () => totals, lag: () => consumer.lag() }
}
