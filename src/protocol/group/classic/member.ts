import { brokerCodeName } from '../../../connection/broker-error.js'
import type { GroupMemberIdentity } from '../../../connection/requests/groups.js'
import type { StartPosition } from '../../../driver/consumer.js'
import { DriverError, StateError, type TidemarkError } from '../../../errors.js'
import type { TopicPartition } from '../../../message/topic-partition.js'
import { deferred } from '../../../runtime/deferred.js'
import { pause } from '../../../runtime/pause.js'
import { StateMachine, type Moves } from '../../../runtime/state-machine.js'
import { tell } from '../../../telemetry/tell.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import type { CoordinatorLine } from '../../cluster/coordinator-line.js'
import { Denials } from '../../cluster/denials.js'
import { partitionCountsChanged } from '../../cluster/topic-watch.js'
import { fatalGroupError, judgeGroupCode } from '../codes.js'
import type { Membership, MembershipEvents, MembershipFacts } from '../membership.js'
import { PartitionsAtFirst } from '../partitions-at-first.js'
import type { HeldBefore } from './assignors/assignor.js'
import { GroupEntry, type EntryStep, type Joined, type LeaderDuty, type Synced } from './entry.js'
import { Generation, type GenerationEnd } from './generation.js'
import { keepAlive } from './heartbeat.js'

type ClassicState =
  | 'unjoined'
  | 'finding-coordinator'
  | 'joining'
  | 'syncing'
  /** A member with an assignment, heartbeats on. */
  | 'stable'
  /** Still a member, giving the assignment up for a rebalance; heartbeats on. */
  | 'draining'
  /** Still a member, giving the assignment up for good: whatever the group wants, it will not join again. */
  | 'closing'
  | 'leaving'
  | 'stopped'
  | 'failed'

const moves: Moves<ClassicState> = {
  unjoined: ['finding-coordinator', 'leaving', 'failed'],
  'finding-coordinator': ['joining', 'unjoined', 'failed'],
  joining: ['syncing', 'unjoined', 'failed'],
  syncing: ['stable', 'unjoined', 'failed'],
  stable: ['draining', 'closing', 'unjoined', 'failed'],
  draining: ['closing', 'unjoined', 'failed'],
  closing: ['leaving', 'failed'],
  leaving: ['stopped'],
  stopped: [],
  failed: ['stopped'],
}

/** Part of the rebalance timeout that a drain may use; the rest is for rejoining. */
const drainShare = 0.6

/** Part of the time to stop that is kept for LeaveGroup, at most one request's time. */
const leaveShare = 0.1

/** What a join that is not answered waits for, as far as anybody can tell. */
const waitsForOthers =
  'the group has not answered its join: it waits for members that went without leaving until their sessions are over, and for others until they have joined again'

/** What makes a member give its assignment up, and the state it is in meanwhile. */
const givingUp = { rebalance: 'draining', stop: 'closing' } as const

/**
 * A member of a group by the classic protocol, eager: every rebalance gives everything up and takes everything anew.
 *
 * | state    | news      | what follows |
 * |----------|-----------|--------------|
 * | stable   | rebalance | draining, by the rebalance's deadline; then it joins again |
 * | stable   | stop      | closing, by the stop's deadline; then it leaves |
 * | draining | stop      | closing, by the earlier of both deadlines |
 * | closing  | rebalance | closing still, by the earlier of both; it commits under the old generation and leaves |
 * | closing  | stop      | closing still, by the earlier of both |
 * | stable, draining | lost | nothing is drained or committed; it joins again |
 * | closing  | lost      | nothing more is committed; it leaves |
 * | stable, draining | failed here | closing, as at a stop; `failed` is told, and it leaves |
 * | any      | failed by the group | nothing is drained or committed; `failed` is told, and it leaves |
 */
export class ClassicMember implements Membership {
  readonly #context: ConsumeContext
  readonly #line: CoordinatorLine
  readonly #events: MembershipEvents
  readonly #entry: GroupEntry
  readonly #machine = new StateMachine<ClassicState>('the group member', 'unjoined', moves)
  /** Aborts everything that waits outside a generation. */
  readonly #ending = new AbortController()
  readonly #stopAsked = deferred<{ readonly kind: 'stop' }>()
  #stopDeadline = Infinity
  #failure: TidemarkError | null = null
  #running: Promise<void> | null = null

  #memberId = ''
  #generation: Generation | null = null
  /** What this generation gave us, all of it ours until given up; the sticky assignor tells the leader of it at the next join. */
  #owned: HeldBefore = { generationId: -1, partitions: [] }
  #lastHeartbeatAt: number | null = null
  #trouble: TidemarkError | string | null = null
  readonly #atFirst: PartitionsAtFirst
  readonly #denials: Denials

  constructor(context: ConsumeContext, line: CoordinatorLine, events: MembershipEvents) {
    this.#context = context
    this.#line = line
    this.#events = events
    this.#entry = new GroupEntry(context, line)
    this.#atFirst = new PartitionsAtFirst(context)
    this.#denials = new Denials(context)
  }

  start(): void {
    this.#running ??= this.#run().catch((defect: unknown) => this.#crashed(defect))
  }

  async stop(deadline: number): Promise<void> {
    this.#stopDeadline = Math.min(this.#stopDeadline, deadline)
    this.#stopAsked.resolve({ kind: 'stop' })
    this.#ending.abort(new StateError('stopped', 'the consumer was stopped'))
    if (this.#machine.is('closing')) void this.#events.revoked(this.#owned.partitions, this.#deadlineFor('stop')) // waited for by the first call
    await this.#running
  }

  fail(error: TidemarkError): void {
    this.#failure ??= error
    if (this.#machine.is('stable', 'draining')) {
      // Still a member: what is settled is committed, and nobody has to wait until the session is over.
      void this.stop(this.#deadlineFor('rebalance')) // never rejects
      return
    }
    this.#generation?.end({ kind: 'failed', error })
    this.#ending.abort(error)
  }

  identity(): GroupMemberIdentity | null {
    return this.#generation?.identity ?? null
  }

  commitRefused(code: number, generationId: number): void {
    const generation = this.#generation
    if (generation?.identity.generationId !== generationId) return
    const verdict = judgeGroupCode(code)
    if (verdict === 'member-gone' || verdict === 'generation-gone') {
      const reason = `the group answered a commit with ${brokerCodeName(code)}`
      generation.end({ kind: 'lost', forgetMemberId: verdict === 'member-gone', reason })
    } else if (verdict === 'rebalance') generation.wantRebalance()
    else if (verdict === 'fatal') {
      generation.end({ kind: 'failed', error: fatalGroupError(code, 'committing offsets', this.#context.settings) })
    }
  }

  trouble(): TidemarkError | string | null {
    return this.#trouble
  }

  hasAssignment(): boolean {
    return this.#machine.is('stable', 'draining', 'closing')
  }

  facts(): MembershipFacts {
    return {
      state: this.#machine.current,
      memberId: this.#memberId === '' ? null : this.#memberId,
      generationId: this.#generation?.identity.generationId ?? -1,
      lastHeartbeatAt: this.#lastHeartbeatAt,
    }
  }

  async #run(): Promise<void> {
    for (let attempt = 1; !this.#ending.signal.aborted;) {
      const step = this.#bounded(await this.#enter(attempt))
      if (step.kind === 'done') {
        attempt = 1
        tell(this.#context.settings, { kind: 'inside-group-again' })
        await this.#belong(step.value.joined, step.value.synced)
        continue
      }
      this.#machine.to('unjoined')
      if (step.kind === 'failed') this.#failure ??= step.error
      if (step.kind === 'failed') break
      if (step.kind === 'again') this.#memberId = step.memberId
      // The first "again" is the normal way to a member id; only a row of them is slowed down.
      if (step.kind === 'later' || step.kind === 'denied' || attempt > 1) await this.#pause(attempt, step)
      attempt += 1
    }
    await this.#finish()
  }

  async #enter(attempt: number): Promise<EntryStep<{ readonly joined: Joined; readonly synced: Synced }>> {
    const signal = this.#ending.signal
    this.#machine.to('finding-coordinator')
    const coordinator = await this.#entry.findCoordinator(signal)
    if (coordinator.kind !== 'done') return coordinator

    // Before the division, so that what is added in between is known to be added.
    await this.#atFirst.learn(signal)
    this.#machine.to('joining')
    tell(this.#context.settings, { kind: 'outside-group', reason: waitsForOthers, attempt })
    const joined = await this.#entry.join(this.#memberId, this.#owned, signal)
    if (joined.kind !== 'done') return joined
    this.#memberId = joined.value.answer.memberId

    this.#machine.to('syncing')
    const synced = await this.#entry.sync(joined.value, signal)
    if (synced.kind !== 'done') return synced
    return { kind: 'done', value: { joined: joined.value, synced: synced.value } }
  }

  /** What is denied now may be permitted soon: it is final when it lasts. */
  #bounded<Value>(step: EntryStep<Value>): EntryStep<Value> {
    const what = `group "${this.#line.key}"`
    this.#trouble = step.kind === 'denied' ? step.error : step.kind === 'later' ? step.reason : null
    if (step.kind === 'denied') return this.#denials.isFinal(what, step.error) ? { ...step, kind: 'failed' } : step
    if (step.kind === 'done' || step.kind === 'again') this.#denials.forget(what)
    return step
  }

  async #pause(attempt: number, step: EntryStep<unknown>): Promise<void> {
    const { runtime, settings } = this.#context
    const delayMs = brokerBackoff(attempt, runtime.random)
    const reason = step.kind === 'later' ? step.reason : step.kind === 'denied' ? step.error.code : step.kind
    tell(settings, { kind: 'outside-group', reason, attempt })
    settings.logger.debug({ group: this.#line.key, reason, delayMs }, 'not in the group yet')
    await pause(runtime.clock, delayMs, this.#ending.signal)
  }

  /** The life of one generation: from its assignment until everything is given up or gone. */
  async #belong({ answer }: Joined, { partitions, duty }: Synced): Promise<void> {
    const { groupInstanceId, from } = this.#context.settings
    const { memberId, generationId } = answer
    const generation = new Generation({ groupId: this.#line.key, generationId, memberId, groupInstanceId })
    this.#generation = generation
    this.#owned = { generationId, partitions }
    this.#lastHeartbeatAt = this.#context.runtime.clock.now()
    this.#machine.to('stable')
    this.#beat(generation).catch((defect: unknown) => generation.end({ kind: 'failed', error: crash(defect) }))
    if (duty) void this.#watchTopics(generation, duty)
    if (this.#failure) generation.end({ kind: 'failed', error: this.#failure })
    this.#assign(partitions, from)
    tell(this.#context.settings, { kind: 'joined', memberId, generation: generationId, partitions: partitions.length })

    const first = await Promise.race([generation.ended, generation.rebalance, this.#stopAsked.promise])
    if (first.kind === 'lost' || first.kind === 'failed') this.#gone(first)
    else await this.#giveUp(generation, first.kind)
    generation.leave()
    this.#generation = null
    if (this.#machine.is('stable', 'draining')) this.#machine.to('unjoined')
  }

  async #giveUp(generation: Generation, reason: 'rebalance' | 'stop'): Promise<void> {
    this.#machine.to(givingUp[reason])
    const drained = this.#events
      .revoked(this.#owned.partitions, this.#deadlineFor(reason))
      .then(() => ({ kind: 'drained' }) as const)
    const other = reason === 'rebalance' ? this.#stopAsked.promise : generation.rebalance
    let first = await Promise.race([generation.ended, drained, other])
    if (first.kind === 'stop' || first.kind === 'rebalance') {
      if (first.kind === 'stop') this.#machine.to('closing')
      void this.#events.revoked(this.#owned.partitions, this.#deadlineFor(first.kind)) // shortens the one that is waited for
      first = await Promise.race([generation.ended, drained])
    }
    if (first.kind === 'lost' || first.kind === 'failed') this.#gone(first)
  }

  #deadlineFor(reason: 'rebalance' | 'stop'): number {
    const now = this.#context.runtime.clock.now()
    const { rebalanceTimeoutMs, heartbeatIntervalMs, requestTimeoutMs } = this.#context.settings
    if (reason === 'rebalance') return now + Math.max(0, rebalanceTimeoutMs * drainShare - heartbeatIntervalMs)
    const leftMs = Math.max(0, this.#stopDeadline - now)
    return now + leftMs - Math.min(requestTimeoutMs, leftMs * leaveShare)
  }

  #gone(end: GenerationEnd): void {
    this.#events.lost(this.#owned.partitions)
    if (end.kind === 'failed') {
      this.#failure ??= end.error
      this.#ending.abort(end.error)
      return
    }
    const next = this.#machine.is('closing') ? 'it was leaving' : 'joining again'
    if (end.forgetMemberId) this.#memberId = ''
    tell(this.#context.settings, { kind: 'membership-lost', reason: end.reason, next })
  }

  async #beat(generation: Generation): Promise<void> {
    const beaten = (at: number) => {
      this.#lastHeartbeatAt = at
    }
    await keepAlive(this.#context, generation, { line: this.#line, denials: this.#denials, beaten })
  }

  #assign(partitions: readonly TopicPartition[], from: StartPosition): void {
    const added = partitions.filter((partition) => this.#atFirst.wasAdded(partition))
    const known = added.length === 0 ? partitions : partitions.filter((partition) => !added.includes(partition))
    this.#events.assigned(known, from)
    if (added.length > 0) this.#events.assigned(added, 'earliest')
    void this.#atFirst.learn(this.#ending.signal) // never rejects; known already unless the cluster did not answer before
  }

  /** The leader answers for the division: it has it made anew when partitions are added or a missing topic appears. */
  async #watchTopics(generation: Generation, { topics, counts }: LeaderDuty): Promise<void> {
    const { clock, random } = this.#context.runtime
    const { logger } = this.#context.settings
    for (let attempt = 1; !generation.over.aborted; attempt += 1) {
      try {
        await partitionCountsChanged(this.#context, topics, counts, generation.over)
        if (!this.#machine.is('stable')) return
        logger.info({ group: this.#line.key, topics }, 'partitions changed; the group is rebalanced')
        generation.wantRebalance()
        return
      } catch (failure) {
        if (generation.over.aborted) return
        logger.error({ error: String(failure) }, 'watching topics met a defect and starts again; please report it')
        await pause(clock, brokerBackoff(attempt, random), generation.over)
      }
    }
  }

  #crashed(defect: unknown): void {
    this.#generation?.leave()
    this.#generation = null
    this.#events.lost(this.#owned.partitions)
    this.#events.failed(crash(defect))
  }

  async #finish(): Promise<void> {
    this.#context.settings.troubles?.forget('outside-group')
    if (this.#failure !== null) {
      this.#machine.to('failed')
      this.#events.failed(this.#failure)
      await this.#leave()
      return
    }
    this.#machine.to('leaving')
    await this.#leave()
    this.#machine.to('stopped')
  }

  /** A static member is expected back. */
  async #leave(): Promise<void> {
    const isKnown = this.#memberId !== '' && this.#context.settings.groupInstanceId === null
    if (isKnown) {
      const { requestTimeoutMs } = this.#context.settings
      const deadline = Math.min(this.#stopDeadline, this.#context.runtime.clock.now() + requestTimeoutMs)
      await this.#entry.leave(this.#memberId, deadline)
    }
  }
}

function crash(cause: unknown): DriverError {
  return new DriverError('defect', `the group member met a defect: ${String(cause)}; report it with its cause`, {
    cause,
  })
}
