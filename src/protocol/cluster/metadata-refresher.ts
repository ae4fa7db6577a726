import { brokerCode } from '../../connection/broker-error.js'
import type { LeaderHint, MetadataAnswer, TopicMetadata } from '../../connection/requests/metadata.js'
import { DriverError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import type { Timer } from '../../runtime/clock.js'
import type { Runtime } from '../../runtime/runtime.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import type { Logger } from '../../telemetry/logger.js'
import { brokerBackoff, electionBackoff } from './broker-backoff.js'
import type { BrokerRotation } from './broker-rotation.js'
import { judgeTopicCode } from './codes.js'
import type { MetadataCache } from './metadata-cache.js'

/** A broker that is silent this long is passed over for the next one. */
const silenceMs = 1_000
/** A stale topic that nobody complains about any more is left alone after this time, even if it never got well. */
const forgetStaleMs = 30_000
/** An election takes the controller so long at the most, by the defaults of Kafka; beyond, something else is wrong. */
const electionMs = 15_000

/** What is wrong with what is known of a topic. */
interface Complaint {
  readonly firstAt: number
  lastAt: number
  /** Leaders that do not serve, by partition. */
  readonly lost: Map<number, LeaderHint>
}

interface Ask {
  readonly topics: Set<string>
  /** The latest deadline of everyone who waits for it. */
  deadline: number
  readonly done: Promise<void>
  readonly settle: (failure?: unknown) => void
}

/**
 * Keeps the metadata cache fresh: asked for now (`refresh`), after a complaint (`noteStale`), and by age.
 * One metadata request is out at a time; callers that come meanwhile share the next one.
 */
export class MetadataRefresher {
  readonly #cache: MetadataCache
  readonly #rotation: BrokerRotation
  readonly #runtime: Runtime
  readonly #logger: Logger
  readonly #maxAgeMs: number
  readonly #closed = new AbortController()

  #running: Ask | null = null
  #next: Ask | null = null

  readonly #stale = new Map<string, Complaint>()
  #staleRound = 0
  #staleTimer: Timer | null = null
  #ageTimer: Timer | null = null

  constructor(
    cache: MetadataCache,
    rotation: BrokerRotation,
    runtime: Runtime,
    settings: { readonly logger: Logger; readonly maxAgeMs: number },
  ) {
    this.#cache = cache
    this.#rotation = rotation
    this.#runtime = runtime
    this.#logger = settings.logger
    this.#maxAgeMs = settings.maxAgeMs
  }

  /** Resolves after an answer that was asked for after this call and covers `topics`. */
  async refresh(topics: readonly string[], deadline: number): Promise<void> {
    const ask = (this.#next ??= newAsk(deadline))
    for (const topic of topics) ask.topics.add(topic)
    ask.deadline = Math.max(ask.deadline, deadline)
    if (this.#running === null) void this.#run()
    await withinDeadline(ask.done, {
      clock: this.#runtime.clock,
      deadline,
      onLate: () => {
        throw this.#rotation.unreachable('metadata')
      },
    })
  }

  /** Someone met a leader that is none: ask in the background, again and again with backoff until every leader is known. */
  noteStale(topic: string): void {
    this.#complain(topic)
  }

  /** As `noteStale`, and also until the partition has another leader than this one, or a later epoch. */
  leaderLost({ topic, partition }: TopicPartition, leader: LeaderHint): void {
    this.#complain(topic)?.lost.set(partition, leader)
  }

  /** The leader that was complained about serves after all. */
  leaderServes({ topic, partition }: TopicPartition): void {
    const complaint = this.#stale.get(topic)
    if (complaint?.lost.delete(partition) !== true || complaint.lost.size > 0) return
    if (this.#isWell(topic, complaint)) this.#stale.delete(topic)
  }

  close(): void {
    this.#closed.abort(new DriverError('closed', 'the client was closed'))
    this.#staleTimer?.cancel()
    this.#ageTimer?.cancel()
    this.#stale.clear()
  }

  /** Runs asks one after the other until none waits. */
  async #run(): Promise<void> {
    while (this.#next !== null) {
      const ask = this.#next
      this.#next = null
      this.#running = ask
      try {
        await this.#learn([...ask.topics], ask.deadline)
        this.#armAgeTimer()
        ask.settle()
      } catch (failure) {
        ask.settle(failure)
      }
    }
    this.#running = null
  }

  /** Of one broker's word alone no topic becomes another one. Where there is no other broker, the same one is asked again. */
  async #learn(topics: readonly string[], deadline: number): Promise<void> {
    const ask = (about: readonly string[]) =>
      this.#rotation.ask({ api: 'metadata', topics: about }, deadline, silenceMs, this.#closed.signal)
    const answer = await ask(topics)
    const strangers = this.#cache.strangersIn(answer)
    if (strangers.length === 0) return this.#cache.take(answer)
    let second: MetadataAnswer | null = null
    try {
      second = await ask(strangers)
    } finally {
      this.#cache.takeBoth(answer, second)
    }
    for (const topic of strangers) if (this.#cache.isDisputed(topic)) this.noteStale(topic)
  }

  #complain(topic: string): Complaint | undefined {
    if (this.#closed.signal.aborted) return undefined
    const now = this.#runtime.clock.now()
    const complaint = this.#stale.get(topic) ?? { firstAt: now, lastAt: now, lost: new Map<number, LeaderHint>() }
    complaint.lastAt = now
    this.#stale.set(topic, complaint)
    this.#scheduleStaleAsk()
    return complaint
  }

  #scheduleStaleAsk(): void {
    if (this.#staleTimer !== null || this.#stale.size === 0 || this.#closed.signal.aborted) return
    this.#staleRound += 1
    const backoff = this.#isElecting() ? electionBackoff : brokerBackoff
    const delay = this.#staleRound === 1 ? 0 : backoff(this.#staleRound - 1, this.#runtime.random)
    this.#staleTimer = this.#runtime.clock.setTimer(delay, () => void this.#askForStale())
  }

  /** The timer stays set while the ask is out, so complaints that come meanwhile join the next round. */
  async #askForStale(): Promise<void> {
    const { clock } = this.#runtime
    const askedAt = clock.now()
    const topics = [...this.#stale.keys()]
    try {
      if (topics.length > 0) await this.refresh(topics, askedAt + 10 * silenceMs)
      for (const topic of topics) this.#judge(topic, askedAt)
    } catch (failure) {
      if (!this.#closed.signal.aborted)
        this.#logger.debug({ topics, error: String(failure) }, 'metadata refresh failed')
    }
    this.#staleTimer = null
    if (this.#stale.size === 0) this.#staleRound = 0
    this.#scheduleStaleAsk()
  }

  #judge(topic: string, askedAt: number): void {
    const complaint = this.#stale.get(topic)
    if (complaint === undefined) return
    const tooOld = askedAt - complaint.lastAt > forgetStaleMs
    if (tooOld || (complaint.lastAt <= askedAt && this.#isWell(topic, complaint))) this.#stale.delete(topic)
  }

  #isWell(topic: string, complaint: Complaint): boolean {
    if (!isWell(this.#cache.topic(topic)) || this.#cache.isDisputed(topic) || this.#cache.isHinted(topic)) return false
    for (const [partition, leader] of complaint.lost) {
      if (!this.#isTheSame(topic, partition, leader)) complaint.lost.delete(partition)
    }
    return complaint.lost.size === 0 || !this.#isYoung(complaint)
  }

  /** A leader that is gone is named until the controller has noticed, or in the same epoch for ever if it was not gone. */
  #isTheSame(topic: string, partition: number, { leader, leaderEpoch }: LeaderHint): boolean {
    const known = this.#cache.partition(topic, partition)
    return known?.leader === leader && known.leaderEpoch <= leaderEpoch
  }

  #isElecting(): boolean {
    return [...this.#stale.values()].some((complaint) => this.#isYoung(complaint))
  }

  #isYoung({ firstAt }: Complaint): boolean {
    return this.#runtime.clock.now() - firstAt < electionMs
  }

  /** Runs by its own, whatever else is asked: complaints about one topic must not keep the others from being looked at. */
  #armAgeTimer(): void {
    if (this.#ageTimer !== null || this.#closed.signal.aborted) return
    this.#ageTimer = this.#runtime.clock.setTimer(this.#maxAgeMs, () => {
      this.#ageTimer = null
      for (const topic of this.#cache.topicNames()) if (!this.#isGone(topic)) this.noteStale(topic)
      this.#armAgeTimer()
    })
  }

  /** Whoever needs a topic that brokers denied to the last asks for it by himself; for the others it is gone. */
  #isGone(topic: string): boolean {
    const verdict = judgeTopicCode(this.#cache.topic(topic)?.errorCode ?? brokerCode.NONE)
    return verdict === 'denied' || verdict === 'impossible'
  }
}

function isWell(topic: TopicMetadata | undefined): boolean {
  return (
    topic !== undefined &&
    topic.errorCode === brokerCode.NONE &&
    topic.partitions.every((partition) => partition.leader >= 0)
  )
}

function newAsk(deadline: number): Ask {
  let settle!: (failure?: unknown) => void
  const done = new Promise<void>((resolve, reject) => {
    settle = (failure) => (failure === undefined ? resolve() : reject(failure as Error))
  })
  return { topics: new Set(), deadline, done, settle }
}
