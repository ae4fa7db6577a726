import type { Message, Messaging } from 'tidemark'
import { outageLimitMs } from '../keep-trying.js'
import type { Service, ServiceMembership, ServiceReports } from '../service.js'
import { PartitionClaims } from '../store/partition-claims.js'
import type { Store } from '../store/store.js'
import { jsonTopics, type AlarmTopics, type AlertEvent } from '../topics.js'
import { applyEvent, type EventFate } from './apply-event.js'

const group = 'alert'

export interface AlertOptions extends ServiceReports, ServiceMembership {
  readonly messaging: Messaging
  readonly store: Store
  readonly topics?: AlarmTopics
}

export type AlertCounts = { received: number } & Record<EventFate, number>

/**
 * alerts → database.
 *
 * One batch is one transaction: inbox, alerts, their log and the offset stand together or not at all. Kafka's commit
 * comes after it. A death in between brings the batch again, and the inbox makes it a no-op. Without a dead-letter
 * topic on purpose: `alerts` holds what detect wrote, so one that cannot be read is our own fault and must stop the
 * partition where everybody sees it.
 */
export function alert({
  messaging,
  store,
  topics = jsonTopics,
  groupInstanceId,
  onTrouble,
  onStopped,
}: AlertOptions): Service<AlertCounts> {
  const claims = new PartitionClaims(group)
  const totals: AlertCounts = { received: 0, open: 0, merge: 0, escalate: 0, end: 0, drop: 0, ignore: 0, repeated: 0 }

  const handle = async (messages: readonly Message<AlertEvent>[]): Promise<void> => {
    const last = messages.at(-1)
    if (!last) return
    const fates: EventFate[] = []
    const end = { topic: last.topic, part: last.partition, nextOffset: last.offset + 1 }
    await claims.write(store.db, end, async (tx) => {
      for (const message of messages) fates.push(await applyEvent(tx, message.value))
    })
    totals.received += messages.length
    for (const fate of fates) totals[fate]++
  }

  const consumer = messaging.consumer({
    group,
    groupInstanceId: groupInstanceId ?? null,
    topics: [topics.alerts],
    // Under `transactional` detect may take back what it sent.
    isolation: 'read-committed',
    handlerTimeoutMs: outageLimitMs,
    // Nothing of ours is wrong with an event: the database is down. It pauses, and no attempt is spent.
    classify: (error) => {
      onTrouble?.(error)
      return 'unavailable'
    },
    handleBatch: handle,
    onDrained: () => claims.release(),
    onPartitionStopped: (_partition, error) => onStopped?.(error),
    onFailed: (error) => onStopped?.(error),
  })

  return { start: () => consumer.start(), counts: () => totals, lag: () => consumer.lag() }
}
