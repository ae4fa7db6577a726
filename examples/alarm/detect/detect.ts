import type { HandlerContext, Message } from 'tidemark'
import { boundedOutOfOrderness, type ReorderOptions } from 'tidemark/event-time'
import { disorderSeconds } from '../access/arrivals.js'
import { keepTrying, outageLimitMs } from '../keep-trying.js'
import type { Service, ServiceParts } from '../service.js'
import { PartitionClaims } from '../store/partition-claims.js'
import { jsonTopics, type RawEvent } from '../topics.js'
import { judgeBatch, type BatchCounts, type JudgedBatch, type RuleBook } from './judge-batch.js'
import { judgeSilence } from './silence-watch.js'
import { whereToStart } from './where-to-start.js'

const group = 'detect'
/** A partition that brokers say is read to its end holds back no other after so long. */
const maxIdleMs = 5_000

/** How detect delivers: README.md says when which. */
export type DetectProfile = 'cp' | 'transactional'

export interface DetectOptions extends RuleBook, ServiceParts {
  /**
   * `cp`: in the order of event time over all partitions, with what is missing; an event may come twice. `transactional`:
   * each event once, in the order of arrival, without what is missing. The messaging has the same profile.
   */
  readonly profile?: DetectProfile
}

export interface DetectCounts extends BatchCounts {
  received: number
  /** Events sent to `alerts`. */
  sent: number
}

/**
 * raw_events → alerts.
 *
 * The order that loses nothing: judge; store points, verdicts and what is to be said, in one transaction; say it; and only
 * then let the consumer commit, or let both go in one transaction of Kafka. Wherever it dies, the records come again and say
 * the same again, as the database has it.
 */
export function detect({ messaging, store, profile = 'cp', ...options }: DetectOptions): Service<DetectCounts> {
  const { rules, noDataRules, groupInstanceId, onTrouble, onStopped } = options
  const { rawEvents, alerts, rawEventsDeadLetters } = options.topics ?? jsonTopics
  const isOrdered = profile === 'cp'
  const claims = new PartitionClaims(group)
  // Under `transactional` all that is sent is sent by handlers.
  const producer = isOrdered ? messaging.producer() : null
  const book: RuleBook = { rules, noDataRules: isOrdered ? noDataRules : [] }
  const totals: DetectCounts = { received: 0, accepted: 0, repeated: 0, conflicts: 0, filtered: 0, sent: 0 }
  /** By partition: what is decided before it was sent already. */
  const sendFrom = new Map<number, number>()

  let busy = 0
  const handle = async (messages: readonly Message<RawEvent>[], context: HandlerContext): Promise<void> => {
    busy += 1
    try {
      await judge(messages, context)
    } finally {
      busy -= 1
    }
  }

  const judge = async (messages: readonly Message<RawEvent>[], context: HandlerContext): Promise<void> => {
    const last = messages.at(-1)
    if (!last) return
    const batch = await judgeBatch(store.db, book, messages)
    const { settled, committed } = placeOf(last.partition)
    // In the order of time offsets leap: up to where all is done the consumer knows.
    const nextOffset = isOrdered ? settled : last.offset + 1
    await claims.write(store.db, { topic: last.topic, part: last.partition, nextOffset }, (tx) =>
      batch.save(tx, committed),
    )
    const due = batch.events.filter(({ offset }) => offset >= (sendFrom.get(last.partition) ?? 0))
    await Promise.all(due.map(({ event }) => context.send(alerts, event)))
    add(totals, messages.length, due.length, batch)
  }

  const lookForSilence = async (watermark: number): Promise<void> => {
    const ours = consumer.facts().partitions.map(({ partition }) => partition)
    for (const silence of await judgeSilence(store.db, book.noDataRules, ours, watermark)) {
      if (silence.events.length > 0) await producer?.sendMany(alerts, [...silence.events])
      const nowhere = { topic: rawEvents.name, part: silence.part, nextOffset: 0 }
      await claims.write(store.db, nowhere, (tx) => silence.save(tx))
      totals.sent += silence.events.length
    }
  }

  const reorder: ReorderOptions = {
    watermark: boundedOutOfOrderness(disorderSeconds * 1_000)
      .withIdleness({ maxIdleMs })
      .withTimestampAssigner(({ value }) => (value as RawEvent).timestamp * 1_000),
    // What comes later than that is judged where it belongs, and ends no alert.
    late: { policy: 'deliver' },
    onWatermark: (watermark, { signal }) =>
      keepTrying(
        () => lookForSilence(watermark),
        signal,
        (error) => onTrouble?.(error),
      ),
  }

  const placeOf = (part: number): { readonly settled: number; readonly committed: number } => {
    const facts = consumer.facts().partitions.find(({ partition }) => partition === part)
    return { settled: facts?.settled ?? 0, committed: facts?.committed ?? 0 }
  }

  const consumer = messaging.consumer({
    group,
    groupInstanceId: groupInstanceId ?? null,
    topics: [rawEvents],
    deadLetter: rawEventsDeadLetters.name,
    handlerTimeoutMs: outageLimitMs,
    ...(isOrdered && { reorder }),
    // What cannot be read never comes here. So a failure is the database's or Kafka's, and no record's fault.
    classify: (error) => {
      onTrouble?.(error)
      return 'unavailable'
    },
    onAssigned: async (partitions) => {
      const logStarts = await messaging.admin.listOffsets(partitions, 'earliest')
      const coming = partitions.map((one, index) => ({ ...one, logStart: logStarts[index] ?? 0 }))
      const places = await whereToStart(store, group, coming)
      for (const place of places) sendFrom.set(place.partition, place.sendFrom)
      return places
    },
    handleBatch: handle,
    onDrained: () => claims.release(),
    onPartitionStopped: (_partition, error) => onStopped?.(error),
    onFailed: (error) => onStopped?.(error),
  })

  /** What is kept back waits for time to pass, not for us. */
  const lag = (): number | null => {
    const behind = consumer.lag()
    const order = consumer.facts().order
    return behind === null || order === null ? behind : busy + Math.max(0, behind - order.buffered)
  }

  return { start: () => consumer.start(), counts: () => totals, lag }
}

function add(totals: DetectCounts, received: number, sent: number, batch: JudgedBatch): void {
  totals.received += received
  totals.sent += sent
  totals.accepted += batch.counts.accepted
  totals.repeated += batch.counts.repeated
  totals.conflicts += batch.counts.conflicts
  totals.filtered += batch.counts.filtered
}
