import type { HandlerCall } from '../consumer/handling/handler-call.js'
import type { Handler, HandlerContext } from '../consumer/handling/handler.js'
import { StateError } from '../errors.js'
import { isPromised } from '../input/asynchronous.js'
import { degradeHeader, textHeader } from '../message/headers.js'
import type { Message } from '../message/message.js'
import { originHeaders } from '../message/origin.js'
import type { Messaging } from '../messaging.js'
import type { Timer } from '../runtime/clock.js'
import { onAbort } from '../runtime/on-abort.js'
import { bytes } from '../serde/bytes.js'
import { nullable } from '../serde/nullable.js'
import { tellListener } from '../telemetry/guard.js'
import { defineTopic } from '../topic/define-topic.js'
import { ownHeaders } from '../topic/own-headers.js'
import type { Topic } from '../topic/topic.js'
import { AsideTries } from './aside-tries.js'
import { requireDegradation, type DegradationOptions } from './degradation-options.js'
import type { Level } from './ladder.js'
import { LevelInForce } from './level-in-force.js'
import { requireNotice, type LevelNotice } from './level-notice.js'
import { defaultRules, verdictOf, type Verdict } from './level-rules.js'

/** What a degradation did, by this process. Plain data. */
export interface DegradationFacts {
  readonly level: Level
  /** How long the level still holds unless it is set again, ms. */
  readonly leftMs: number
  readonly shed: number
  readonly diverted: number
  /** Records that were to be put aside and could not be, and were handled. */
  readonly refused: number
}

/** What is kept may wait behind it. */
const storeMs = 10_000

type Aside = Exclude<Verdict, 'handle'>

/**
 * Handles less while there is too much to do, by levels from 0 (everything) to 3. What is not handled is stored on a topic
 * before its offset is committed, and counted then: nothing goes without a trace. A level ends by itself when nobody sets it
 * again, so whoever sets levels may die.
 *
 * | a record                                   | becomes of it |
 * |--------------------------------------------|---------------|
 * | at level 0, kept, or as its level says     | handled |
 * | to be put aside, and stored there          | done, and counted |
 * | to be put aside, and that fails            | handled: in doubt it may be in both places |
 * | the same after that was slow               | handled at once, but for one in 10 s: else each would wait for it |
 * | the time of its attempt ended meanwhile    | failed, as any: another attempt decides anew |
 *
 * @example
 * const less = degradation<Alert>(messaging, {
 *   keep: ({ value }) => value.severity === 1,
 *   priorityOf: ({ value }) => value.severity,
 *   shedTo: 'alerts.shed',
 * })
 * const consumer = messaging.consumer({ group: 'alerts', topics: [alerts], handle: less.around(handle) })
 */
export class Degradation<Value = unknown> {
  readonly #messaging: Messaging
  readonly #options: DegradationOptions<Value>
  readonly #inForce: LevelInForce
  readonly #topics: Readonly<Record<Aside, Topic<Buffer | null>>>
  readonly #labels: { readonly topic: string }
  readonly #counts = { shed: 0, divert: 0, refused: 0 }
  readonly #tries: Readonly<Record<Aside, AsideTries>>
  /** Each kind of failure is told loudly once: it comes with every record. */
  readonly #toldOf = new Set<string>()
  /** What was told last. */
  #told: Level = 0
  #end: Timer | null = null

  /** @internal */
  constructor(messaging: Messaging, options: DegradationOptions<Value>) {
    this.#messaging = messaging
    this.#options = options
    this.#inForce = new LevelInForce(messaging.clock)
    this.#tries = { shed: new AsideTries(messaging.clock), divert: new AsideTries(messaging.clock) }
    const { shedTo, divertTo = shedTo } = options
    this.#labels = { topic: shedTo }
    this.#topics = { shed: asideTopic(shedTo), divert: asideTopic(divertTo) }
    this.#measureLevel()
    onAbort(messaging.closed, () => this.#end?.cancel())
  }

  /** The level that holds now. */
  get level(): Level {
    return this.#inForce.level
  }

  /** The level in force, until when, and what it has put aside so far. */
  facts(): DegradationFacts {
    const { level, leftMs } = this.#inForce
    const { shed, divert, refused } = this.#counts
    return { level, leftMs, shed, diverted: divert, refused }
  }

  /**
   * Sets a level, by hand or as it came from a control topic.
   *
   * @param ageMs how long ago it was set
   * @returns whether it is in force: not when one of a higher epoch is, nor when its time is over
   * @throws ConfigError when it is no notice
   */
  take(notice: LevelNotice, ageMs = 0): boolean {
    requireNotice('take', notice)
    const isTaken = this.#inForce.take(notice, ageMs)
    if (isTaken) this.#watchEnd()
    this.#tellLevel()
    return isTaken
  }

  /** What is to be done with a record now; for loops over batches, which put aside themselves what they do not handle. */
  decide(message: Message<Value>): Verdict {
    return this.#decide(message, this.level)
  }

  /**
   * The handler, but for what the level in force puts aside. For consumers with `handle`. Retries, dead letters, middleware
   * and dedupe are around it as around any handler: what is put aside counts as handled. Under the profile `transactional` it is
   * stored in the transaction of its offset, and counted when it joins that.
   */
  around<Given extends Message<Value>>(handle: Handler<Given>): Handler<Given> {
    return (message, context) => {
      const { level } = this
      // A batch that came all the same is handled whole: only one record of it would be stored.
      if (level === 0 || Array.isArray(message)) return handle(message, context)
      const verdict = this.#decide(message, level)
      return verdict === 'handle' ? handle(message, context) : this.#putAside(message, context, verdict, level, handle)
    }
  }

  #decide(message: Message<Value>, level: Level): Verdict {
    if (level === 0) return 'handle'
    const { keep, priorityOf, levels = defaultRules } = this.#options
    if (this.#asked('keep', () => keep(message)) !== false) return 'handle'
    const priority = priorityOf === undefined ? 1 : this.#asked('priorityOf', () => priorityOf(message))
    return typeof priority === 'number' && !Number.isNaN(priority)
      ? verdictOf(level, levels, priority, message.key)
      : 'handle'
  }

  /** `undefined`: it said nothing, since it threw or wants to be waited for. */
  #asked<Answer>(source: 'keep' | 'priorityOf', ask: () => Answer): Answer | undefined {
    try {
      const answer = ask()
      if (!isPromised(answer)) return answer
      this.#tellFailure(source, new TypeError(`${source} answered with a promise, but must answer at once`))
    } catch (error) {
      this.#tellFailure(source, error)
    }
    return undefined
  }

  #tellFailure(source: string, error: unknown): void {
    const { logger, metrics } = this.#messaging.telemetry
    metrics.count('tidemark_foreign_failures_total', { source })
    const fields = { listener: source, error }
    this.#tell(source, (level) => logger[level](fields, 'what decides on a record failed, so the record is handled'))
  }

  #tell(what: string, tell: (level: 'error' | 'debug') => void): void {
    const wasTold = this.#toldOf.has(what)
    this.#toldOf.add(what)
    tell(wasTold ? 'debug' : 'error')
  }

  async #putAside<Given extends Message<Value>>(
    message: Given,
    context: HandlerContext,
    verdict: Aside,
    level: Level,
    handle: Handler<Given>,
  ): Promise<void> {
    const topic = this.#topics[verdict]
    const tried = this.#tries[verdict].begin()
    if (tried === null) {
      this.#count(message, 'refused')
      return handle(message, context)
    }
    try {
      await this.#store(topic, message, context, verdict, level)
      tried.ended('stored')
    } catch (error) {
      tried.ended('failed')
      if (context.signal.aborted) throw error
      this.#count(message, 'refused')
      const { logger } = this.#messaging.telemetry
      const text = 'a record cannot be put aside and is handled instead; check that the topic exists and may be written'
      this.#tell(topic.name, (loudness) => logger[loudness]({ topic: topic.name, error }, text))
      return handle(message, context)
    }
    this.#count(message, verdict)
  }

  #count({ topic }: Message<Value>, outcome: Aside | 'refused'): void {
    this.#counts[outcome] += 1
    this.#messaging.telemetry.metrics.count('tidemark_degrade_records_total', { topic, outcome })
  }

  /** With the time of now: that of its origin stands in a header, and would have an old record deleted at once. */
  async #store(
    topic: Topic<Buffer | null>,
    message: Message<Value>,
    context: HandlerContext,
    verdict: Aside,
    level: Level,
  ): Promise<void> {
    if (topic.name === message.topic) throw readsWhatItSheds(topic.name)
    const { firstRecord } = (context as HandlerCall).work
    const record = { ...firstRecord, headers: ownHeaders(message.topic, firstRecord.headers) }
    const headers = [
      ...record.headers.filter(([name]) => !ours.has(name)),
      ...originHeaders(message, record),
      textHeader(degradeHeader.outcome, verdict),
      textHeader(degradeHeader.level, String(level)),
    ]
    // Half of the attempt is left to handle what cannot be stored.
    const leftMs = Math.ceil((context.deadline - this.#messaging.clock.wallTime()) / 2)
    const timeoutMs = Math.max(0, Math.min(storeMs, leftMs))
    await context.send(topic, record.value, { key: record.key, headers, timeoutMs })
  }

  /** The level is what the clock says; this only tells that it ended. */
  #watchEnd(): void {
    this.#end?.cancel()
    if (this.#messaging.closed.aborted) return
    this.#end = this.#messaging.clock.setTimer(this.#inForce.leftMs, () => this.#tellLevel())
    this.#end.unref?.()
  }

  #tellLevel(): void {
    const { level } = this
    const before = this.#told
    if (level === before) return
    this.#told = level
    this.#measureLevel()
    const { telemetry } = this.#messaging
    const fields = { ...this.#labels, level, before }
    if (level > before) telemetry.logger.warn(fields, 'the level in force has risen: less is handled, as its rules say')
    else telemetry.logger.info(fields, 'the level in force has fallen: more is handled again, and all at 0')
    const { onLevel } = this.#options
    if (onLevel !== undefined) tellListener('onLevel', () => onLevel(level, before), telemetry)
  }

  #measureLevel(): void {
    this.#messaging.telemetry.metrics.gauge('tidemark_degrade_level', this.#labels, this.#told)
  }
}

const ours: ReadonlySet<string> = new Set(Object.values(degradeHeader))

/**
 * Handles less while there is too much to do: what a level sheds, samples or diverts goes to a topic and is counted.
 *
 * @throws ConfigError with every problem of the options
 */
export function degradation<Value = unknown>(
  messaging: Messaging,
  options: DegradationOptions<Value>,
): Degradation<Value> {
  requireDegradation(messaging, options)
  return new Degradation(messaging, options)
}

function readsWhatItSheds(topic: string): StateError {
  return new StateError(
    'own-topic',
    `${topic} is read by the consumer that would put records aside there; name another topic`,
    { topic },
  )
}

/** Bytes stay as they are, and records of one key stay together. */
function asideTopic(name: string): Topic<Buffer | null> {
  return defineTopic({ name, value: nullable(bytes()) })
}
