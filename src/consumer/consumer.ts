import { StateError, type TidemarkError } from '../errors.js'
import { flag, optionProblem, timeLimit, type Rules } from '../input/option-rules.js'
import type { Topic } from '../topic/topic.js'
import type { TopicPartition } from '../message/topic-partition.js'
import type { Clock } from '../runtime/clock.js'
import { timeoutRules, type TimeoutOption } from '../producer/timeout-option.js'
import { pause } from '../runtime/pause.js'
import { StateMachine } from '../runtime/state-machine.js'
import { whenAborted } from '../runtime/when-aborted.js'
import { asTidemarkError, startedBefore, withoutLoop } from './lifecycle/refusals.js'
import { ConsumerRun } from './lifecycle/run.js'
import type { Telemetry } from '../telemetry/guard.js'
import { tell } from '../telemetry/tell.js'
import type { ConsumerDependencies } from './options/consumer-dependencies.js'
import type { BatchOf } from './handling/batch.js'
import { BatchIterator } from './handling/batch-iterator.js'
import type { BatchLoop } from './handling/batch-loop.js'
import { withListeners } from './options/listeners.js'
import { requirePlace, requirePlaces, requireSeekTarget } from './options/consumer-input.js'
import type { ResolvedConsumerOptions } from './options/consumer-schema.js'
import { anyOtherTopic, UserPauses, type Place } from './partition/user-pauses.js'
import { confirm } from './settling/confirm.js'
import type { ConsumerFacts } from './watch/facts.js'
import { ReadTopics } from '../topic/topic-lookup.js'

/** More may come. */
export type ConsumerState = 'idle' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'

const moves = {
  idle: ['starting', 'stopped'],
  /** Idle again when it failed: all that it began has ended, and it may be called once more. */
  starting: ['running', 'idle', 'stopping'],
  running: ['stopping', 'failed'],
  stopping: ['stopped'],
  stopped: [],
  /** It finishes what runs, commits and leaves by itself; `stop` waits for that. */
  failed: [],
} as const satisfies Record<ConsumerState, readonly ConsumerState[]>

/** How `consumer.stop` ends. */
export interface StopOptions {
  /** Most time for everything: running handlers, commit, leaving. Default `drainMs` + 5 s. */
  readonly timeoutMs?: number | undefined
  /** Give everything up at once, without a commit; may be called while a stop is under way. */
  readonly force?: boolean | undefined
}

/** Where to go on: an offset, or the first record at or after a time (ms since the Unix epoch). */
export type SeekTarget = number | { readonly timestamp: number }

const stopRules: Rules<StopOptions> = { timeoutMs: timeLimit, force: flag }

const startTimeoutMs = 60_000
const leaveMs = 5_000

/**
 * Reads topics and hands every record to the handler at least once. Commits only what is done; a failed record goes to
 * the dead-letter topic or stops its partition, visibly, while the others go on.
 */
export class Consumer<Topics extends readonly Topic[] = readonly Topic[]> implements AsyncDisposable {
  readonly #options: ResolvedConsumerOptions
  readonly #dependencies: ConsumerDependencies
  readonly #state = new StateMachine<ConsumerState>('the consumer', 'idle', moves)
  readonly #telemetry: Telemetry
  readonly #pauses = new UserPauses()
  readonly #read: ReadTopics
  #run: ConsumerRun
  readonly #stopAsked = new AbortController()
  #closing: Promise<void> | null = null
  #error: TidemarkError | null = null

  /** @internal @param options resolved by `consumerSchema` */
  constructor(options: ResolvedConsumerOptions, dependencies: ConsumerDependencies) {
    this.#options = options
    this.#dependencies = dependencies
    this.#telemetry = withListeners(dependencies, options)
    this.#read = new ReadTopics(options.topics, () => this.#run.facts().partitions.map(({ topic }) => topic))
    this.#run = this.#newRun()
  }

  get state(): ConsumerState {
    return this.#state.current
  }

  /** The delay topics of `retryLater`, as `ensureTopics` is to make them. */
  get delayTopics(): readonly Topic[] {
    return this.#dependencies.delayTopics?.definitions() ?? []
  }

  /**
   * Joins the group and resolves when the first assignment is there, within `timeoutMs` (default 60,000); handling may
   * begin before. Of a consumer that is told to stop meanwhile it resolves too, at the end of the stop, and of the close
   * of its messaging if that is under way: an end that was asked for is no failure. `state` tells.
   *
   * A start that fails has undone what it began when it rejects, its member has left the group: the consumer is `idle` as it
   * was, and may be started again.
   *
   * @throws ConfigError when the options cannot be used, or its dead-letter topic is missing or compacted
   * @throws DriverError when the cluster or group cannot be reached in time, or refuses
   */
  async start(options: TimeoutOption = {}): Promise<void> {
    const problem = optionProblem('start', options, timeoutRules)
    if (problem !== null) throw problem
    const { timeoutMs = startTimeoutMs } = options
    if (this.#state.is('stopping', 'stopped', 'failed')) throw startedBefore(this.#state.current)
    this.#state.require('start', 'idle')
    this.#state.to('starting')
    this.#error = null
    try {
      await this.#join(this.#now() + timeoutMs)
      this.#requireNoFailure()
    } catch (cause) {
      const error = asTidemarkError(cause)
      if (this.#state.is('starting')) await this.#undoStart(error)
      if (this.#state.is('idle')) throw error
    }
    if (this.#state.is('starting')) this.#state.to('running')
    if (this.#state.is('stopping', 'stopped')) await this.#ended()
  }

  /**
   * Takes nothing new, lets running handlers finish, commits what is settled, leaves the group. Bounded by `timeoutMs`:
   * handlers that have not finished see their signal abort, and their records are reported as possible duplicates.
   * Idempotent. Called inside a handler, or the body of a loop, it begins all that and resolves at once.
   */
  stop(options: StopOptions = {}): Promise<void> {
    const ended = this.stopEntirely(options)
    return ended === this.#closing && this.isCalling() ? Promise.resolve() : ended
  }

  /** @internal Does the code that asks run inside a handler, or the body of a loop, of this consumer? */
  isCalling(): boolean {
    return this.#run.parts.isCalling()
  }

  /** @internal A `stop` that waits for the end whoever calls. */
  stopEntirely(options: StopOptions = {}): Promise<void> {
    const problem = optionProblem('stop', options, stopRules)
    if (problem !== null) return Promise.reject(problem)
    const { timeoutMs = this.#options.drainMs + leaveMs, force = false } = options
    this.#stopAsked.abort()
    if (force) this.#run.force()
    else if (this.#closing !== null) void this.#run.giveUp(timeoutMs) // never rejects; the former call waits for the same end
    this.#closing ??= this.#stop(timeoutMs)
    void this.#closing.then(this.#dependencies.onStopped) // never rejects
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /**
   * Batches to be handled in a loop, of a consumer made with `loop: true`; see `Batch` for what settles one. The loop ends
   * when the consumer stops, and throws what it fails with. Leaving it by `break`, `return` or `throw` is a `stop`: what
   * is settled is committed, and what is not is handled again. Several loops at a time share the batches.
   *
   * @example
   * for await (const batch of consumer.batches()) {
   *   await store(batch.messages)
   *   await batch.commit()
   * }
   */
  batches(): AsyncIterableIterator<BatchOf<Topics[number]>, undefined> {
    if (!this.#options.loop) throw withoutLoop()
    const iterator = new BatchIterator({ loop: () => this.#loop(), onLeft: () => this.stopEntirely() })
    return iterator as unknown as AsyncIterableIterator<BatchOf<Topics[number]>, undefined>
  }

  /**
   * Fetches and starts nothing of these partitions until `resume`; what runs goes on. A place without `partition` is all of its
   * topic; default all topics. It holds over rebalances and for partitions not ours yet; of several calls the last counts.
   */
  pause(places: readonly { readonly topic: string; readonly partition?: number | undefined }[] = this.#topics()): void {
    this.#setPaused('pause', places, true)
  }

  /** Takes back what `pause` said of these places, all topics by default; what is paused for another reason stays so. */
  resume(
    places: readonly { readonly topic: string; readonly partition?: number | undefined }[] = this.#topics(),
  ): void {
    this.#setPaused('resume', places, false)
  }

  /**
   * Goes on at another place, backwards too, and starts a stopped partition again. What waits is dropped; handlers of the
   * partition that run may finish within `drainMs` before the new place is read, so do not await it inside one of them. The
   * new place is committed as settled work is. Of several calls the last one says where, and all of them end with it.
   */
  async seek(topic: string, partition: number, target: SeekTarget): Promise<void> {
    this.#state.require('seek', 'starting', 'running')
    requirePlace('seek', topic, partition)
    requireSeekTarget(target)
    const place = { topic, partition }
    this.#run.parts.partitions.require(place)
    const to = typeof target === 'number' ? target : this.#dependencies.offsetAt(place, target.timestamp)
    await this.#run.parts.steering.seek(place, to)
  }

  /**
   * Starts a partition that stopped again, exactly where handling stands: what is settled is not handled again, all else
   * is. What stopped it must be mended, or it stops again; a log that was lost is mended by `seek` alone. Handlers that run
   * may finish first, as in `seek`.
   *
   * @throws StateError `no-place` when nobody could tell where the partition is to be read from
   */
  async restart(topic: string, partition: number): Promise<void> {
    this.#state.require('restart', 'starting', 'running')
    requirePlace('restart', topic, partition)
    await this.#run.parts.steering.seek({ topic, partition }, null)
  }

  /**
   * Resolves when all that is settled by now, of every partition that is ours, is confirmed by the broker: a process that
   * dies from then on does not repeat it. Inside a handler its own record is not settled yet. Not needed for anything to
   * be committed; `commit` says when that happens by itself.
   *
   * @throws StateError `partition-gone` when a partition was given up before that was confirmed; `no-group` without a group
   * @throws TimeoutError `commit-timeout` after `timeoutMs` (default 30,000); what is settled goes on being committed
   */
  async commit(options: TimeoutOption = {}): Promise<void> {
    const problem = optionProblem('commit', options, timeoutRules)
    if (problem !== null) throw problem
    const { group } = this.#options
    if (group !== null) this.#state.require('commit', 'starting', 'running', 'stopping', 'failed')
    const { partitions, ledger } = this.#run.parts
    await confirm(partitions.all(), { group, ledger, clock: this.#clock, timeoutMs: options.timeoutMs })
  }

  /** Next offset to take up; what was fetched and waits begins there. -1 while `onAssigned` has not said where it starts. */
  position(topic: string, partition: number): number {
    requirePlace('position', topic, partition)
    return this.#run.parts.partitions.require({ topic, partition }).tracker.end
  }

  /** What the group gave, also what is not read yet since nobody can tell where it starts (`facts().startless`). */
  assignment(): readonly TopicPartition[] {
    return [...this.#run.parts.partitions.places(), ...this.#run.startless()]
  }

  /**
   * Offsets between what is settled and the ends of the logs, over all partitions; `null` while it is not known: before
   * `start` has resolved, outside the group, or until a broker has told every end. The ends are some seconds old at most,
   * also of paused partitions; `facts()` tells when each was learnt (`endOffsetAt`), should a broker not answer.
   */
  lag(): number | null {
    return this.#run.lag()
  }

  /**
   * Resolves when everything that stood in the logs at the call is settled, within `timeoutMs` (default 60,000). What is
   * written later is not waited for, nor partitions that are given away meanwhile; those that come are. Not for handlers.
   *
   * @throws TimeoutError `not-caught-up`, with the partitions that are behind and by how much
   * @throws StateError when the consumer does not run, or ends meanwhile
   */
  async caughtUp(options: TimeoutOption = {}): Promise<void> {
    const problem = optionProblem('caughtUp', options, timeoutRules)
    if (problem !== null) throw problem
    this.#state.require('caughtUp', 'starting', 'running')
    const { timeoutMs = startTimeoutMs } = options
    const over = () => (this.#state.is('starting', 'running') ? null : this.#state.current)
    await this.#run.caughtUp(this.#now() + timeoutMs, over)
  }

  /** How it stands now, with each partition: where it is, what it waits for, why it is paused. Asks no broker. */
  facts(): ConsumerFacts {
    return {
      client: this.#dependencies.clientId,
      group: this.#options.group,
      topics: this.#read.names(),
      state: this.#state.current,
      ...this.#run.facts(),
      error: this.#error,
    }
  }

  async #join(deadline: number): Promise<void> {
    await this.#beforeStart()
    if (!this.#state.is('starting')) return
    try {
      await this.#run.join(deadline)
    } catch (cause) {
      this.#requireNoFailure()
      throw cause
    }
  }

  /** What failed beside the driver's start made that end, and says why. */
  #requireNoFailure(): void {
    if (this.#error !== null) throw this.#error
  }

  /** Ends at a stop; what it asked the cluster may take its own time. */
  async #beforeStart(): Promise<void> {
    const { signal } = this.#stopAsked
    const asked = this.#dependencies.beforeStart?.(signal)
    if (asked !== undefined) await Promise.race([asked, whenAborted(signal)])
  }

  /** Whoever closes is told first, and may end the process: what stands behind a start is not for a consumer that has ended. */
  async #ended(): Promise<void> {
    await this.#closing
    await this.#dependencies.closing?.()
    await pause(this.#clock, 0)
  }

  #setPaused(call: string, places: readonly Place[], isPaused: boolean): void {
    this.#state.require(call, 'idle', 'starting', 'running')
    requirePlaces(call, places, this.#topics(), this.#read)
    this.#run.parts.steering.setPaused(places, isPaused)
  }

  #topics(): readonly { readonly topic: string }[] {
    const delays = [...(this.#dependencies.delayTopics?.ofTopic.values() ?? [])].flat()
    const later = this.#read.isOpen ? [anyOtherTopic] : []
    return [...this.#read.names(), ...delays, ...later].map((topic) => ({ topic }))
  }

  /** Of this start of the consumer. */
  #loop(): BatchLoop | null {
    if (this.#state.is('idle'))
      throw new StateError('wrong-state', 'batches() gives some after start(); call that first')
    return this.#run.parts.loop
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#run.parts.loop?.end(null)
    if (this.#state.is('idle')) {
      this.#state.to('stopped')
      this.#closeParts()
      return
    }
    this.#state.to('stopping')
    await this.#close(timeoutMs)
    this.#state.to('stopped')
    tell(this.#telemetry, { kind: 'stopped' })
  }

  async #close(timeoutMs: number): Promise<void> {
    await this.#run.giveUp(timeoutMs)
    this.#closeParts()
  }

  #closeParts(): void {
    this.#run.parts.close()
    this.#telemetry.troubles?.close()
    this.#telemetry.metrics.close?.()
  }

  #newRun(): ConsumerRun {
    const run: ConsumerRun = new ConsumerRun(
      this.#options,
      { ...this.#dependencies, ...this.#telemetry },
      this.#pauses,
      (error) => {
        if (run === this.#run) this.#fail(error)
      },
    )
    return run
  }

  /** Nothing of it is left when this has ended, unless a stop came meanwhile: that ends the rest. */
  async #undoStart(error: TidemarkError): Promise<void> {
    await this.#run.giveUp(leaveMs)
    if (!this.#state.is('starting')) return
    this.#run.parts.loop?.end(error)
    this.#run.parts.close()
    this.#telemetry.troubles?.forgetAll()
    this.#run = this.#newRun()
    this.#error = error
    this.#state.to('idle')
  }

  #fail(error: TidemarkError): void {
    if (this.#state.is('starting')) {
      // Told by the start, which ends by this.
      this.#error ??= error
      void this.#run.giveUp(leaveMs) // never rejects
      return
    }
    if (!this.#state.is('running')) {
      tell(this.#telemetry, { kind: 'failed-while-stopping', error })
      return
    }
    this.#state.to('failed')
    this.#error = error
    this.#run.parts.loop?.end(error)
    this.#closing ??= this.#close(this.#options.drainMs + leaveMs)
    tell(this.#telemetry, { kind: 'failed', error })
  }

  get #clock(): Clock {
    return this.#dependencies.driver.runtime.clock
  }

  #now(): number {
    return this.#clock.now()
  }
}
