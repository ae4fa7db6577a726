import type { HandlerContext, Message, OnAssigned } from 'tidemark'
import { boundedOutOfOrderness, type ReorderOptions } from 'tidemark/event-time'
import { sqlPositions, type HandlerCallLike } from 'tidemark/sql'
import { disorderSeconds } from '../access/arrivals.js'
import { writerOf, type Service, type ServiceParts } from '../service.js'
import { jsonTopics, type RawEvent } from '../topics.js'
import { judgeBatch, type BatchCounts, type RuleBook } from './judge-batch.js'
import { judgeSilence } from './silence.js'

const group = 'detect'
/** So long access may be away: then it is over what nobody tells the time, and what comes yet is late. */
const maxIdleMs = 60_000

/** How detect delivers: README.md says when which. */
export type DetectProfile = 'cp' | 'transactional'

export interface DetectOptions extends RuleBook, ServiceParts {
  /**
   * `cp`: in the order of event time, with what is missing; an event may come twice. `transactional`:
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
  const { rules, noDataRules } = options
  const { rawEvents, alerts, rawEventsDeadLetters } = options.topics ?? jsonTopics
  const isOrdered = profile === 'cp'
  const positions = sqlPositions(store.db, { group })
  // Under `transactional` all that is sent is sent by handlers.
  const producer = isOrdered ? messaging.producer() : null
  const book: RuleBook = { rules, noDataRules: isOrdered ? noDataRules : [] }
  const totals: DetectCounts = { received: 0, accepted: 0, repeated: 0, conflicts: 0, filtered: 0, sent: 0 }
  /** By partition: what is decided before it was sent already. */
  const sendFrom = new Map<number, number>()

  const judge = async (messages: readonly Message<RawEvent>[], context: HandlerContext): Promise<void> => {
    const last = messages.at(-1)
    if (!last) return
    const { events, counts, save } = await judgeBatch(store.db, book, messages)
    const facts = consumer.facts().partitions.find(({ partition }) => partition === last.partition)
    // In the order of time offsets leap: up to where all is done the consumer knows.
    const next = isOrdered ? (facts?.settled ?? null) : last.offset + 1
    await positions.transaction(context, last, next, (tx) => save(tx, facts?.committed ?? 0))
    const due = events.filter(({ offset }) => offset >= (sendFrom.get(last.partition) ?? 0))
    await Promise.all(due.map(({ event }) => context.send(alerts, event)))
    totals.received += messages.length
    totals.sent += due.length
    for (const [name, count] of Object.entries(counts)) totals[name as keyof BatchCounts] += count
  }

  const lookForSilence = async (watermark: number, context: HandlerCallLike): Promise<void> => {
    const ours = consumer.assignment().map(({ partition }) => partition)
    for (const { part: partition, events, save } of await judgeSilence(store.db, book.noDataRules, ours, watermark)) {
      await producer?.sendMany(alerts, events)
      await positions.transaction(context, { topic: rawEvents.name, partition }, null, save)
      totals.sent += events.length
    }
  }

  /**
   * A database knows a partition's series up to where it judged them: reading starts there, whatever was committed. It is ahead
   * after a death between its transaction and the commit: records come again, and say what they said. It is behind where
   * another one had the partition meanwhile, it was lost, or the topic made anew: it reads what it missed, and sends what was not.
   */
  const whereToStart: OnAssigned = async (partitions, context) => {
    const logStarts = await messaging.admin.listOffsets(partitions, 'earliest')
    const taken = await positions.take(partitions, context)
    return taken.map(({ topic, partition, position, reached }, index) => {
      sendFrom.set(partition, reached ?? 0)
      const known = Math.min(position ?? 0, partitions[index]?.committed ?? 0)
      return { topic, partition, offset: Math.max(known, logStarts[index] ?? 0) }
    })
  }

  const reorder: ReorderOptions = {
    watermark: boundedOutOfOrderness(disorderSeconds * 1_000)
      .withIdleness({ maxIdleMs })
      .withTimestampAssigner(({ value }) => (value as RawEvent).timestamp * 1_000),
    // All about a series lies in one partition.
    order: 'partition',
    // What comes later than that is judged where it belongs, and ends no alert.
    late: { policy: 'deliver' },
    onWatermark: lookForSilence,
  }

  const consumer = messaging.consumer({
    ...writerOf(group, options),
    topics: [rawEvents],
    deadLetter: rawEventsDeadLetters.name,
    ...(isOrdered && { reorder }),
    // A transaction costs what it costs: what comes within a quarter of a second shares one.
    fetch: { minBytes: 1_048_576 },
    onAssigned: whereToStart,
    handleBatch: judge,
  })

  /** What is kept back waits for time to pass, not for us. */
  const lag = (): number | null => {
    const behind = consumer.lag()
    const { order, running } = consumer.facts()
    return behind === null || order === null ? behind : running + Math.max(0, behind - order.buffered)
  }

  return { start: () => consumer.start(), counts: () => totals, lag }
}
