import type { Message, Messaging } from 'tidemark'
import { keepTrying, outageLimitMs } from '../keep-trying.js'
import type { Rule } from '../rules.js'
import type { Service, ServiceMembership, ServiceReports } from '../service.js'
import { PartitionClaims } from '../store/partition-claims.js'
import type { Store } from '../store/store.js'
import { alerts, rawEvents, rawEventsDeadLetters, type RawEvent } from '../topics.js'
import { judgeBatch, type BatchCounts, type JudgedBatch } from './judge-batch.js'

const group = 'detect'

export interface DetectOptions extends ServiceReports, ServiceMembership {
  readonly messaging: Messaging
  readonly store: Store
  readonly rules: readonly Rule[]
}

export interface DetectCounts extends BatchCounts {
  received: number
  /** Events sent to `alerts`. */
  sent: number
}

/**
 * raw_events → alerts.
 *
 * The order that loses nothing: judge, send and await the acknowledgement, store points and verdicts with the offset in
 * one transaction, and only then let the consumer commit. A death before the transaction judges the batch again and
 * sends the same ids; one after it finds every point known and sends nothing.
 */
export function detect({
  messaging,
  store,
  rules,
  groupInstanceId,
  onTrouble,
  onStopped,
}: DetectOptions): Service<DetectCounts> {
  const claims = new PartitionClaims(group)
  const producer = messaging.producer()
  const totals: DetectCounts = { received: 0, accepted: 0, repeated: 0, conflicts: 0, filtered: 0, sent: 0 }

  const handle = async (messages: readonly Message<RawEvent>[]): Promise<void> => {
    const last = messages.at(-1)
    if (!last) return
    const batch = await judgeBatch(
      store.db,
      rules,
      messages.map((message) => message.value),
    )
    if (batch.events.length > 0) await producer.sendMany(alerts, [...batch.events])
    const end = { topic: last.topic, part: last.partition, nextOffset: last.offset + 1 }
    await claims.write(store.db, end, (tx) => batch.save(tx))
    add(totals, messages.length, batch)
  }

  const consumer = messaging.consumer({
    group,
    groupInstanceId: groupInstanceId ?? null,
    topics: [rawEvents],
    deadLetter: rawEventsDeadLetters.name,
    handlerTimeoutMs: outageLimitMs,
    handleBatch: (messages, context) =>
      keepTrying(
        () => handle(messages),
        context.signal,
        (error, waitMs) => onTrouble?.(error, waitMs),
      ),
    onDrained: () => claims.release(),
    onPartitionStopped: (_partition, error) => onStopped?.(error),
    onFailed: (error) => onStopped?.(error),
  })

  return { start: () => consumer.start(), counts: () => totals, lag: () => consumer.lag() }
}

function add(totals: DetectCounts, received: number, batch: JudgedBatch): void {
  totals.received += received
  totals.sent += batch.events.length
  totals.accepted += batch.counts.accepted
  totals.repeated += batch.counts.repeated
  totals.conflicts += batch.counts.conflicts
  totals.filtered += batch.counts.filtered
}
