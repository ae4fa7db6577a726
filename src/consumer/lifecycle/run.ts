import type { ConsumerSettings, DriverConsumer, StartPosition } from '../../driver/consumer.js'
import { TidemarkError } from '../../errors.js'
import type { TopicPartition } from '../../message/topic-partition.js'
import { withinDeadline } from '../../runtime/within-deadline.js'
import { tell } from '../../telemetry/tell.js'
import type { ConsumerDependencies } from '../options/consumer-dependencies.js'
import type { ResolvedConsumerOptions } from '../options/consumer-schema.js'
import type { UserPauses } from '../partition/user-pauses.js'
import { caughtUp } from '../watch/caught-up.js'
import { deletedTopics } from '../watch/deleted-topics.js'
import { onWallClock, type ConsumerFacts } from '../watch/facts.js'
import { assemble, type ConsumerParts } from './assemble.js'
import { namesOf } from '../../topic/topic-lookup.js'
import { isPatternTopic } from '../../topic/topic-pattern.js'

const leaveMs = 5_000
/** Part of the time of an end that is kept for leaving the group. */
const leaveShare = 0.1
/** Part of the time of an end that is kept for all that follows what waits in the order of event time. */
const afterOrderShare = 0.5

/**
 * What one start of a consumer makes, until it has ended: its parts and its driver's consumer. A start that fails ends its
 * run, and the next start has another: nothing of a former one counts in it.
 */
export class ConsumerRun {
  readonly parts: ConsumerParts
  readonly #options: ResolvedConsumerOptions
  readonly #dependencies: ConsumerDependencies
  #driver: DriverConsumer | null = null
  /** Absolute ms; only ever brought forward. */
  #endsBy = Infinity
  #ending: Promise<unknown> = Promise.resolve()

  /**
   * @param pauses what the user wants to rest, in this run and others
   * @param onFailed it cannot go on
   */
  constructor(
    options: ResolvedConsumerOptions,
    dependencies: ConsumerDependencies,
    pauses: UserPauses,
    onFailed: (error: TidemarkError) => void,
  ) {
    this.#options = options
    this.#dependencies = dependencies
    this.parts = assemble(options, dependencies, { pauses, driver: () => this.#requireDriver(), onFailed })
  }

  /** Resolves when the first assignment is there. */
  async join(deadline: number): Promise<void> {
    this.#driver = this.#dependencies.driver.createConsumer(this.#settings(), this.parts.lifecycle)
    await this.#driver.start(deadline)
    // Where the user does not answer, partitions are held, and that is told.
    const { hooksAsked } = this.parts.lifecycle
    await withinDeadline(hooksAsked, { clock: this.#clock, deadline, onLate: () => undefined })
  }

  facts(): Omit<ConsumerFacts, 'client' | 'group' | 'topics' | 'state' | 'error'> {
    const told = this.#driver?.facts() ?? null
    const driver = told === null ? null : onWallClock(told, this.#clock)
    const [startless, unavailableTopics] = [told?.startless ?? [], told?.unavailableTopics ?? []]
    const troubles = this.#dependencies.troubles?.standing() ?? []
    return { driver, ...this.parts.facts(), startless, unavailableTopics, troubles }
  }

  /** Ours, and nobody can tell yet where they start. */
  startless(): readonly TopicPartition[] {
    return this.#driver?.facts().startless ?? []
  }

  /** `null` while it is not known. */
  lag(): number | null {
    if (!this.#knowsAll()) return null
    let sum = 0
    for (const { lag } of this.parts.facts().partitions) {
      if (lag === null) return null
      sum += lag
    }
    return sum
  }

  /** @param over the state in which it will not catch up any more */
  async caughtUp(deadline: number, over: () => string | null): Promise<void> {
    const reader = {
      clock: this.#clock,
      partitions: () => this.parts.partitions.all(),
      endOf: (partition: TopicPartition) => this.#driver?.endOf(partition) ?? null,
      deleted: () => (this.#driver === null ? new Set<string>() : deletedTopics(this.#driver)),
      isComplete: () => this.#knowsAll(),
      over,
    }
    await caughtUp(reader, deadline)
  }

  /**
   * Takes nothing new, lets handlers finish, commits and leaves. Called again it resolves at the same end; with less time it
   * shortens what the former call has begun. Never rejects.
   */
  async giveUp(timeoutMs: number): Promise<void> {
    const deadline = this.#clock.now() + timeoutMs
    if (deadline < this.#endsBy) {
      this.#endsBy = deadline
      this.#ending = Promise.all([this.#ending, this.#end(deadline, timeoutMs)])
    }
    await this.#ending
  }

  async #end(deadline: number, timeoutMs: number): Promise<void> {
    const leave = Math.min(leaveMs, timeoutMs * leaveShare)
    const { ordering } = this.parts
    if (ordering !== null) await ordering.drain(deadline - timeoutMs * afterOrderShare)
    // At the same time, so that a member that stops hears of a rebalance meanwhile and is never made to join again.
    const ends = await Promise.allSettled([
      this.parts.lifecycle.release(deadline - leave),
      this.#driver?.stop(deadline),
    ])
    for (const end of ends) if (end.status === 'rejected') this.#inDisorder(end.reason)
  }

  /** Gives everything up at once, without a commit. */
  force(): void {
    this.parts.lifecycle.abandonAll()
    const stopped = this.#driver?.stop(this.#clock.now())
    void stopped?.catch((error: unknown) => this.#inDisorder(error))
  }

  #inDisorder(error: unknown): void {
    tell(this.#dependencies, { kind: 'stopped-in-disorder', error })
  }

  #settings(): ConsumerSettings {
    const { clientId, logger, metrics, onEvent, troubles, delayTopics } = this.#dependencies
    const options = this.#options
    return {
      clientId,
      logger,
      metrics,
      onEvent,
      troubles,
      groupId: options.group,
      groupInstanceId: options.groupInstanceId,
      leavesGroup: options.leaveGroup,
      topics: [...namesOf(options.topics), ...[...(delayTopics?.ofTopic.values() ?? [])].flat()],
      matching: this.#matching(),
      companions: delayTopics?.ofTopic,
      groupProtocol: options.groupProtocol,
      remoteAssignor: options.remoteAssignor,
      assignors: options.assignors,
      sessionTimeoutMs: options.sessionTimeoutMs,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
      requestTimeoutMs: options.requestTimeoutMs,
      isolation: options.isolation,
      rackId: options.rackId,
      from: startPosition(options.from),
      onOutOfRange: options.onOutOfRange,
      fetch: options.fetch,
      metadataMaxAgeMs: options.metadataMaxAgeMs,
    }
  }

  #matching(): ConsumerSettings['matching'] {
    const patterns = this.#options.topics.filter(isPatternTopic).map(({ pattern }) => pattern)
    return patterns.length === 0 ? undefined : { patterns, except: this.#dependencies.writes ?? [] }
  }

  /** Is all that is ours among the partitions? */
  #knowsAll(): boolean {
    if (this.#driver === null) return false
    const { hasAssignment, startless = [] } = this.#driver.facts()
    if (!hasAssignment || startless.length === 0) return hasAssignment
    const deleted = deletedTopics(this.#driver)
    return startless.every(({ topic }) => deleted.has(topic))
  }

  #requireDriver(): DriverConsumer {
    if (this.#driver === null) throw new TidemarkError('internal-defect', 'the driver was used before the start')
    return this.#driver
  }

  get #clock() {
    return this.#dependencies.driver.runtime.clock
  }
}

function startPosition(from: 'earliest' | 'latest' | Date): StartPosition {
  return from instanceof Date ? { timestamp: from.getTime() } : from
}
