import { hash } from 'node:crypto'
import { defineTopic, type Message, type Messaging, type Producer, type Topic } from 'tidemark'
import type { Degradation } from 'tidemark/degrade'
import { heartbeatId, seriesOf } from '../ids.js'
import { jsonTopics, RawEvent, type AlarmTopics } from '../topics.js'
import { isFuture } from './arrivals.js'

/** Of what is larger than a broker takes, the dead-letter topic gets the begin. */
const keptBytes = 65_536

export interface IntakeOptions {
  readonly messaging: Messaging
  readonly topics?: AlarmTopics
  /** Handles less while there is too much to do. */
  readonly less?: Degradation<RawEvent>
  /** Tenants too hot for one partition, and over how many keys each goes. */
  readonly spread?: ReadonlyMap<number, number>
}

export interface Taken {
  readonly accepted: number
  /** Put aside, as the level of degradation says. */
  readonly shed: number
  /** Malformed, too large, or of a time that has not come. */
  readonly deadLettered: number
}

/** The one way into `raw_events`: whatever comes in ends there, in `shed` or in the dead-letter topic. */
export class Intake {
  readonly #producer: Producer
  readonly #topics: AlarmTopics
  readonly #rawEvents: Topic<RawEvent>

  constructor(private readonly options: IntakeOptions) {
    this.#producer = options.messaging.producer()
    this.#topics = options.topics ?? jsonTopics
    this.#rawEvents = spreadOver(this.#topics.rawEvents, options.spread ?? new Map())
  }

  /** Resolves when brokers have acknowledged all of it, each record where it belongs; else nobody knows, and it may be given again. */
  async take(inputs: readonly unknown[]): Promise<Taken> {
    const events: RawEvent[] = []
    const aside: RawEvent[] = []
    const letters: Promise<unknown>[] = []
    for (const input of inputs) {
      const parsed = RawEvent.safeParse(input)
      if (!parsed.success) letters.push(this.#bury(input, 'invalid', parsed.error.issues[0]?.message ?? ''))
      else if (isFuture(parsed.data.timestamp)) letters.push(this.#bury(input, 'future', `${parsed.data.timestamp}`))
      else if (this.#isKept(parsed.data)) events.push(parsed.data)
      else aside.push(parsed.data)
    }
    await Promise.all([
      this.#producer.sendMany(this.#rawEvents, events),
      this.#producer.sendMany(this.#topics.shed, aside),
      ...letters,
    ])
    return { accepted: events.length, shed: aside.length, deadLettered: letters.length }
  }

  /**
   * Tells every partition that it is so late, also those that had no row: who puts records in order by time has to know. What
   * comes later happened at most `disorderSeconds` before it.
   */
  async tellTime(seconds: number): Promise<void> {
    const tell = (_: unknown, partition: number) =>
      this.#producer.send(this.#topics.rawEvents, heartbeat(partition, seconds), { partition })
    await Promise.all(Array.from({ length: this.#rawEvents.partitions }, tell))
  }

  #isKept(event: RawEvent): boolean {
    const { less } = this.options
    if (!less || less.level === 0) return true
    // By series, so that each is kept or dropped whole; key and value are all that is looked at.
    const key = Buffer.from(seriesOf(event))
    return less.decide({ topic: this.#rawEvents.name, key, value: event } as Message<RawEvent>) === 'handle'
  }

  #bury(input: unknown, reason: 'invalid' | 'future', detail: string): Promise<unknown> {
    const bytes = Buffer.from(typeof input === 'string' ? input : (JSON.stringify(input) ?? ''))
    const why =
      bytes.length > keptBytes
        ? { 'td-reason': 'oversize', 'alarm-detail': `${bytes.length} bytes` }
        : { 'td-reason': reason, 'alarm-detail': detail.slice(0, 200) }
    const headers = { ...why, 'alarm-sha256': hash('sha256', bytes) }
    return this.#producer.send(this.#topics.rawEventsDeadLetters, bytes.subarray(0, keptBytes), { headers })
  }
}

/** `7#3` in place of `7`: a hot tenant has several partitions, and each of its series one. */
function spreadOver(topic: Topic<RawEvent>, spread: ReadonlyMap<number, number>): Topic<RawEvent> {
  const { name, value, partitions } = topic
  const key = (event: RawEvent): string => {
    const ways = spread.get(event.bk_biz_id)
    if (ways === undefined) return String(event.bk_biz_id)
    return `${event.bk_biz_id}#${Number.parseInt(seriesOf(event).slice(0, 8), 16) % ways}`
  }
  return defineTopic({ name, value, partitions, key })
}

function heartbeat(partition: number, timestamp: number): RawEvent {
  const raw_data = { metric: 'access.heartbeat', value: 1, dimensions: {} }
  const from = { event_type: 'heartbeat', event_source: 'access', priority: 1 } as const
  return { ...from, event_id: heartbeatId(partition, timestamp), raw_data, timestamp, bk_biz_id: 0 }
}
