import { brokerCodeName } from '../../../connection/broker-error.js'
import type { GroupMemberIdentity } from '../../../connection/requests/groups.js'
import type { StartPosition } from '../../../driver/consumer.js'
import { DriverError, StateError, type TidemarkError } from '../../../errors.js'
import type { TopicPartition } from '../../../message/topic-partition.js'
import { deferred } from '../../../runtime/deferred.js'
import { pause } from '../../../runtime/pause.js'
import { StateMachine } from '../../../runtime/state-machine.js'
import { tell } from '../../../telemetry/tell.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import type { CoordinatorLine } from '../../cluster/coordinator-line.js'
import { Denials } from '../../cluster/denials.js'
import { fatalGroupError, judgeGroupCode } from '../codes.js'
import { watchedEntry } from '../entry-watch.js'
import { leavesGroup, type Membership, type MembershipEvents, type MembershipFacts } from '../membership.js'
import { PartitionsAtFirst } from '../partitions-at-first.js'
import { GroupEntry, type EntryStep, type Joined, type Synced } from './entry.js'
import { keepAlive } from './heartbeat.js'
import { Holdings } from './holdings.js'
import { watchTopics } from './leader-watch.js'
import { moves, type ClassicState } from './states.js'
import { Stay, type StayEnd } from './stay.js'

interface Entered {
  readonly joined: Joined
  readonly synced: Synced
}

/** Part of the rebalance timeout that a drain may use; the rest is for rejoining. */
const drainShare = 0.6

/** Part of the time to stop that is kept for LeaveGroup, at most one request's time. */
const leaveShare = 0.1

/** What a join that is not answered waits for, as far as anybody can tell. */
const waitsForOthers =
  'the group has not answered its join: it waits for members that went without leaving until their sessions are over, and for others until they have joined again'

/** Why all is given up, and the state meanwhile. */
const givingUp = { rebalance: 'draining', stop: 'closing' } as const

/** A member of a group by the classic protocol, eager or cooperative; `states.ts` has its table. */
export class ClassicMember implements Membership {
  readonly #context: ConsumeContext
  readonly #line: CoordinatorLine
  readonly #events: MembershipEvents
  readonly #entry: GroupEntry
  readonly #machine = new StateMachine<ClassicState>('the group member', 'unjoined', moves)
  /** Aborts what waits outside a stay. */
  readonly #ending = new AbortController()
  readonly #stopAsked = deferred<{ readonly kind: 'stop' }>()
  #stopDeadline = Infinity
  #failure: TidemarkError | null = null
  #running: Promise<void> | null = null

  #memberId = ''
  #stay: Stay | null = null
  readonly #holdings = new Holdings()
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
    if (this.#stay === null) this.#ending.abort(stopped())
    if (this.#machine.is('closing')) void this.#events.revoked(this.#holdings.now, this.#deadlineFor('stop')) // waited for by the first call
    await this.#running
  }

  fail(error: TidemarkError): void {
    this.#failure ??= error
    if (this.#stay !== null && !this.#machine.is('closing')) {
      // Still a member: what is settled is committed, and nobody has to wait until the session is over.
      void this.stop(this.#deadlineFor('rebalance')) // never rejects
      return
    }
    this.#stay?.end({ kind: 'failed', error })
    this.#ending.abort(error)
  }

  identity(): GroupMemberIdentity | null {
    return this.#stay?.identity ?? null
  }

  /** A rebalance under way is told by heartbeats: an answer that comes after it must not begin another. */
  commitRefused(code: number, generationId: number): 'again' | 'out' {
    const stay = this.#stay
    if (stay === null) return 'out'
    const verdict = judgeGroupCode(code)
    if (verdict === 'generation-gone' && stay.mayHaveGoneOn(generationId)) return 'again'
    if (generationId !== stay.identity.generationId) return 'out'
    if (verdict === 'member-gone' || verdict === 'generation-gone') {
      const reason = `the group answered a commit with ${brokerCodeName(code)}`
      stay.end({ kind: 'lost', forgetMemberId: verdict === 'member-gone', reason })
      return 'out'
    }
    if (verdict !== 'fatal') return 'again'
    stay.end({ kind: 'failed', error: fatalGroupError(code, 'committing offsets', this.#context.settings) })
    return 'out'
  }

  trouble(): TidemarkError | string | null {
    return this.#trouble
  }

  hasAssignment(): boolean {
    return this.#stay !== null
  }

  facts(): MembershipFacts {
    return {
      state: this.#machine.current,
      memberId: this.#memberId === '' ? null : this.#memberId,
      generationId: this.#stay?.identity.generationId ?? -1,
      lastHeartbeatAt: this.#lastHeartbeatAt,
    }
  }

  async #run(): Promise<void> {
    for (let attempt = 1; !this.#ending.signal.aborted;) {
      const step = await watchedEntry(this.#context, this.#entry.longestMs, () => this.#enter(attempt))
      if (step?.kind === 'failed') {
        this.#failure ??= step.error
        break
      }
      attempt = step?.kind === 'done' ? 1 : attempt + 1
      if (step?.kind === 'done') await this.#belong(step.value)
      this.#goTo('unjoined')
    }
    await this.#finish()
  }

  /** One attempt, and the pause after it. `null`: a stay that went on meanwhile is over, and its end was told. */
  async #enter(attempt: number): Promise<EntryStep<Entered> | null> {
    const stay = this.#stay
    if (stay === null) return this.#attempt(attempt, this.#ending.signal)
    const cut = new AbortController()
    const entering = this.#attempt(attempt, AbortSignal.any([this.#ending.signal, cut.signal]))
    const entered = entering.then((step) => ({ kind: 'entered', step }) as const)
    const first = await Promise.race([entered, stay.ended, this.#stopAsked.promise])
    if (first.kind === 'entered') return first.step
    if (first.kind === 'stop') await this.#giveUp(stay, 'stop', this.#deadlineFor('rebalance'))
    else this.#gone(first)
    this.#endStay()
    cut.abort(stopped())
    await entering
    return null
  }

  async #attempt(attempt: number, signal: AbortSignal): Promise<EntryStep<Entered>> {
    const step = this.#bounded(await this.#wayIn(attempt, signal))
    if (step.kind === 'done' || step.kind === 'failed') return step
    if (step.kind === 'again') {
      this.#memberId = step.memberId
      if (step.as === 'out') this.#out('the group has gone on without this member')
    }
    this.#goTo('unjoined')
    // The first "again" is the normal way to a member id; only a row of them is slowed down.
    if (step.kind !== 'again' || attempt > 1) await this.#pause(attempt, step, signal)
    return step
  }

  async #wayIn(attempt: number, signal: AbortSignal): Promise<EntryStep<Entered>> {
    this.#goTo('finding-coordinator')
    const coordinator = await this.#entry.findCoordinator(signal)
    if (coordinator.kind !== 'done') return coordinator

    // Before the division, so that what is added in between is known to be added.
    await this.#atFirst.learn(signal)
    this.#goTo('joining')
    if (this.#stay === null) tell(this.#context.settings, { kind: 'outside-group', reason: waitsForOthers, attempt })
    this.#stay?.asksForNext()
    this.#holdings.claim()
    const joined = await this.#entry.join(this.#memberId, this.#holdings, signal)
    if (joined.kind !== 'done') return joined
    this.#memberId = joined.value.answer.memberId
    if (this.#stay !== null) this.#goOn(this.#stay, joined.value)

    this.#goTo('syncing')
    const synced = await this.#entry.sync(joined.value, signal)
    if (synced.kind !== 'done') return synced
    return { kind: 'done', value: { joined: joined.value, synced: synced.value } }
  }

  /** The next generation began with us. What was held stays ours if its leader knows of it and heeds it. */
  #goOn(stay: Stay, { answer, isCooperative }: Joined): void {
    const before = stay.identity.generationId
    // A coordinator that names no leader divides by itself, and knows what is ours.
    const isNext = answer.generationId <= before + 1 || answer.leader === ''
    stay.goesOn(this.#identityIn(answer), isCooperative)
    if (isCooperative && isNext) return this.#holdings.kept(answer.generationId)
    const reason = isNext
      ? `the group chose the eager assignor "${answer.protocolName}", under which nobody keeps partitions while it joins`
      : `the group went from generation ${before} to ${answer.generationId}, and one between them was without this member`
    this.#lose(reason, 'joining again')
  }

  /** What is denied now may be permitted soon: it is final when it lasts. */
  #bounded<Value>(step: EntryStep<Value>): EntryStep<Value> {
    const what = `group "${this.#line.key}"`
    this.#trouble = step.kind === 'denied' ? step.error : step.kind === 'later' ? step.reason : null
    if (step.kind === 'denied') return this.#denials.isFinal(what, step.error) ? { ...step, kind: 'failed' } : step
    if (step.kind === 'done' || step.kind === 'again') this.#denials.forget(what)
    return step
  }

  async #pause(attempt: number, step: EntryStep<unknown>, signal: AbortSignal): Promise<void> {
    const { runtime, settings } = this.#context
    const delayMs = brokerBackoff(attempt, runtime.random)
    const reason = step.kind === 'later' ? step.reason : step.kind === 'denied' ? step.error.code : step.kind
    if (this.#stay === null) tell(settings, { kind: 'outside-group', reason, attempt })
    settings.logger.debug({ group: this.#line.key, reason, delayMs }, 'not in the group yet')
    await pause(runtime.clock, delayMs, signal)
  }

  /** The life of one generation: from its assignment until it is to be joined again, or everything is given up or gone. */
  async #belong({ joined, synced }: Entered): Promise<void> {
    const { answer, isCooperative } = joined
    const stay = this.#stay ?? this.#begin(joined)
    const { added, removed, hasVoidClaims } = this.#holdings.divided(synced.partitions, answer.generationId)
    this.#machine.to('stable')
    void watchTopics(this.#context, stay, { joined, synced }, () => this.#machine.is('stable')) // never rejects
    if (this.#failure) stay.end({ kind: 'failed', error: this.#failure })
    this.#assign(added, this.#context.settings.from)
    tell(this.#context.settings, { kind: 'inside-group-again' })
    const { memberId, generationId: generation } = answer
    tell(this.#context.settings, { kind: 'joined', memberId, generation, partitions: synced.partitions.length })

    if (removed.length > 0 || (isCooperative && hasVoidClaims)) return this.#release(stay, removed)
    const first = await Promise.race([stay.ended, stay.rebalance, this.#stopAsked.promise])
    if (first.kind === 'rebalance' && isCooperative) return
    if (first.kind === 'lost' || first.kind === 'failed') this.#gone(first)
    else await this.#giveUp(stay, first.kind)
    this.#endStay()
  }

  #begin({ answer, isCooperative }: Joined): Stay {
    // A static member that comes back begins no division.
    const mayEndSoon = isCooperative && this.#context.settings.groupInstanceId === null
    const stay = new Stay(this.#identityIn(answer), mayEndSoon)
    this.#stay = stay
    this.#lastHeartbeatAt = this.#context.runtime.clock.now()
    this.#beat(stay).catch((defect: unknown) => stay.end({ kind: 'failed', error: crash(defect) }))
    return stay
  }

  #identityIn({ generationId, memberId }: Joined['answer']): GroupMemberIdentity {
    return { groupId: this.#line.key, generationId, memberId, groupInstanceId: this.#context.settings.groupInstanceId }
  }

  /** Gives up what the division takes from us; the rest is ours all the time. */
  async #release(stay: Stay, removed: readonly TopicPartition[]): Promise<void> {
    this.#machine.to('releasing')
    const released = this.#events
      .revoked(removed, this.#deadlineFor('rebalance'))
      .then(() => ({ kind: 'released' }) as const)
    const first = await Promise.race([stay.ended, released, this.#stopAsked.promise])
    if (first.kind === 'released') {
      this.#holdings.gaveUp(removed)
      return
    }
    if (first.kind === 'stop') await this.#giveUp(stay, 'stop')
    else this.#gone(first)
    this.#endStay()
  }

  async #giveUp(stay: Stay, reason: 'rebalance' | 'stop', atTheLatest = Infinity): Promise<void> {
    this.#machine.to(givingUp[reason])
    const drained = this.#events
      .revoked(this.#holdings.now, Math.min(this.#deadlineFor(reason), atTheLatest))
      .then(() => ({ kind: 'drained' }) as const)
    const other = reason === 'rebalance' ? this.#stopAsked.promise : stay.rebalance
    let first = await Promise.race([stay.ended, drained, other])
    if (first.kind === 'stop' || first.kind === 'rebalance') {
      if (first.kind === 'stop') this.#machine.to('closing')
      void this.#events.revoked(this.#holdings.now, this.#deadlineFor(first.kind)) // shortens the one that is waited for
      first = await Promise.race([stay.ended, drained])
    }
    if (first.kind === 'lost' || first.kind === 'failed') this.#gone(first)
  }

  #endStay(): void {
    this.#stay?.leave()
    this.#stay = null
    this.#holdings.gaveUpAll()
    if (this.#stopDeadline < Infinity) this.#ending.abort(stopped())
  }

  /** On the way out nothing leads back in: what the way in would say is not said. */
  #goTo(state: ClassicState): void {
    if (!this.#machine.is('closing') && !this.#machine.is(state)) this.#machine.to(state)
  }

  #deadlineFor(reason: 'rebalance' | 'stop'): number {
    const now = this.#context.runtime.clock.now()
    const { rebalanceTimeoutMs, heartbeatIntervalMs, requestTimeoutMs } = this.#context.settings
    if (reason === 'rebalance') return now + Math.max(0, rebalanceTimeoutMs * drainShare - heartbeatIntervalMs)
    const leftMs = Math.max(0, this.#stopDeadline - now)
    return now + leftMs - Math.min(requestTimeoutMs, leftMs * leaveShare)
  }

  #gone(end: StayEnd): void {
    if (end.kind === 'failed') {
      this.#events.lost(this.#holdings.now)
      this.#failure ??= end.error
      this.#ending.abort(end.error)
      return
    }
    if (end.forgetMemberId) this.#memberId = ''
    this.#lose(end.reason, this.#machine.is('closing') ? 'it was leaving' : 'joining again')
  }

  /** Others may own all that was ours. */
  #lose(reason: string, next: string): void {
    const lost = this.#holdings.now
    this.#holdings.gaveUpAll()
    this.#events.lost(lost)
    tell(this.#context.settings, { kind: 'membership-lost', reason, next })
  }

  /** The way in showed that we are no member any more. */
  #out(reason: string): void {
    if (this.#stay === null) return
    this.#lose(reason, this.#machine.is('closing') ? 'it was leaving' : 'joining again')
    this.#endStay()
  }

  async #beat(stay: Stay): Promise<void> {
    const beaten = (at: number) => {
      this.#lastHeartbeatAt = at
    }
    await keepAlive(this.#context, stay, { line: this.#line, denials: this.#denials, beaten })
  }

  #assign(partitions: readonly TopicPartition[], from: StartPosition): void {
    const added = partitions.filter((partition) => this.#atFirst.wasAdded(partition))
    const known = added.length === 0 ? partitions : partitions.filter((partition) => !added.includes(partition))
    this.#events.assigned(known, from)
    if (added.length > 0) this.#events.assigned(added, 'earliest')
    void this.#atFirst.learn(this.#ending.signal) // never rejects; known already unless the cluster did not answer before
  }

  #crashed(defect: unknown): void {
    const held = this.#holdings.now
    this.#endStay()
    this.#events.lost(held)
    this.#events.failed(crash(defect))
  }

  async #finish(): Promise<void> {
    this.#context.settings.troubles?.forget('outside-group')
    if (this.#failure !== null) {
      const held = this.#holdings.now
      this.#endStay()
      if (held.length > 0) this.#events.lost(held)
      this.#machine.to('failed')
      this.#events.failed(this.#failure)
      await this.#leave()
      return
    }
    this.#machine.to('leaving')
    await this.#leave()
    this.#machine.to('stopped')
  }

  async #leave(): Promise<void> {
    const { requestTimeoutMs } = this.#context.settings
    // Whoever has our name now would have to refuse it.
    const isFenced = this.#failure?.code === 'fenced-instance-id'
    if (this.#memberId === '' || isFenced || !leavesGroup(this.#context.settings)) return
    const deadline = Math.min(this.#stopDeadline, this.#context.runtime.clock.now() + requestTimeoutMs)
    await this.#entry.leave(this.#memberId, deadline)
  }
}

function stopped(): StateError {
  return new StateError('stopped', 'the consumer was stopped')
}

function crash(cause: unknown): DriverError {
  return new DriverError('defect', `the group member met a defect: ${String(cause)}; report it with its cause`, {
    cause,
  })
}
