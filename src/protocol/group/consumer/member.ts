import { memberEpochs, type ConsumerGroupHeartbeatAnswer } from '../../../connection/requests/consumer-groups.js'
import type { GroupMemberIdentity } from '../../../connection/requests/groups.js'
import { DriverError, StateError, type TidemarkError } from '../../../errors.js'
import { deferred } from '../../../runtime/deferred.js'
import { StateMachine, type Moves } from '../../../runtime/state-machine.js'
import { tell } from '../../../telemetry/tell.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import type { CoordinatorLine } from '../../cluster/coordinator-line.js'
import { Denials } from '../../cluster/denials.js'
import { leavesGroup, type Membership, type MembershipEvents, type MembershipFacts } from '../membership.js'
import { PartitionsAtFirst } from '../partitions-at-first.js'
import { judgeMembersCommit } from './codes.js'
import { Entrance, type Entered } from './entrance.js'
import { Heartbeats, keepAlive } from './heartbeat.js'
import type { OwnedById } from './owned-by-id.js'
import { Subscription } from './subscription.js'
import { Term, type TermEnd } from './term.js'
import { TopicNames } from './topic-names.js'

type MemberState =
  | 'joining'
  /** A member, and all that is meant for us is ours. */
  | 'stable'
  /** A member on its way to what is meant for it. */
  | 'reconciling'
  /** Still a member, giving everything up for good. */
  | 'closing'
  | 'leaving'
  | 'stopped'
  | 'failed'

const moves: Moves<MemberState> = {
  joining: ['stable', 'leaving', 'failed'],
  stable: ['reconciling', 'closing', 'joining', 'failed'],
  reconciling: ['stable', 'closing', 'joining', 'failed'],
  closing: ['leaving', 'failed'],
  leaving: ['stopped'],
  stopped: [],
  failed: ['stopped'],
}

/** What facts call `joining` while the session of who had our instance id before has to end. */
const awaitsPredecessor = 'waiting-for-predecessor'

/** Part of the rebalance timeout that giving partitions up may take; then the coordinator must have heard of it. */
const drainShare = 0.6

/** Part of the time to stop that is kept for leaving, at most one request's time. */
const leaveShare = 0.1

/**
 * A member of a group whose coordinator divides the partitions (KIP-848). Partitions that stay are never paused.
 *
 * | state       | heartbeats | news | what follows |
 * |-------------|------------|------|--------------|
 * | joining     | at once, epoch 0, with everything | an epoch | stable, and reconciling when something is meant for us |
 * | stable      | at the interval | another target | reconciling |
 * | reconciling | at the interval; what is ours is not told while we give up | all given up, or all taken | told at once, with what is ours now; stable when nothing is left to do |
 * | reconciling | | another target | on towards that one: what is given up already is told first; names are not waited for |
 * | stable, reconciling | | fenced, or no answer for a session | nothing is drained or committed; joining, under the same member id |
 * | stable, reconciling | | stop | closing, by the stop's deadline |
 * | closing     | at the interval | another target | closing still; what it takes from us by the earlier of both deadlines |
 * | closing     | | fenced | nothing more is committed; leaving |
 * | leaving     | one, epoch -1, or -2 with an instance id | anything | stopped |
 * | any         | | failed by the group | nothing is drained or committed; `failed` is told |
 *
 * After a heartbeat without a good answer the next one tells everything: the coordinator may have moved on, and takes it
 * for the repair of a lost answer. What is being given up counts as ours until it is done.
 */
export class ConsumerMember implements Membership {
  readonly #context: ConsumeContext
  readonly #line: CoordinatorLine
  readonly #events: MembershipEvents
  readonly #heartbeats: Heartbeats
  readonly #entrance: Entrance
  readonly #subscription: Subscription
  readonly #names: TopicNames
  readonly #atFirst: PartitionsAtFirst
  readonly #denials: Denials
  readonly #memberId: string
  readonly #machine = new StateMachine<MemberState>('the group member', 'joining', moves)
  /** Aborts everything that waits outside a term. */
  readonly #ending = new AbortController()
  readonly #stopAsked = deferred<{ readonly kind: 'stop' }>()
  #stopDeadline = Infinity
  #failure: TidemarkError | null = null
  #running: Promise<void> | null = null
  #term: Term | null = null
  #lastHeartbeatAt: number | null = null

  constructor(context: ConsumeContext, line: CoordinatorLine, events: MembershipEvents) {
    const { random } = context.runtime
    this.#context = context
    this.#line = line
    this.#events = events
    this.#memberId = Buffer.from(random.uuid().replaceAll('-', ''), 'hex').toString('base64url')
    this.#subscription = new Subscription(context)
    const subscription = this.#subscription
    this.#heartbeats = new Heartbeats(context, line, { memberId: this.#memberId, subscription })
    this.#denials = new Denials(context)
    this.#entrance = new Entrance(context, { heartbeats: this.#heartbeats, denials: this.#denials })
    this.#names = new TopicNames(context, subscription)
    this.#atFirst = new PartitionsAtFirst(context)
  }

  start(): void {
    this.#running ??= this.#run().catch((defect: unknown) => this.#crashed(defect))
  }

  async stop(deadline: number): Promise<void> {
    this.#stopDeadline = Math.min(this.#stopDeadline, deadline)
    this.#stopAsked.resolve({ kind: 'stop' })
    this.#ending.abort(new StateError('stopped', 'the consumer was stopped'))
    if (this.#machine.is('closing')) this.#hurry(this.#term?.owned.all() ?? [], this.#closeBy())
    await this.#running
  }

  fail(error: TidemarkError): void {
    this.#failure ??= error
    if (this.#machine.is('stable', 'reconciling')) {
      // Still a member: what is settled is committed, and nobody has to wait until the session is over.
      void this.stop(this.#drainBy()) // never rejects
      return
    }
    this.#term?.end({ kind: 'failed', error })
    this.#ending.abort(error)
  }

  identity(): GroupMemberIdentity | null {
    const { groupInstanceId } = this.#context.settings
    if (this.#term === null) return null
    return { groupId: this.#line.key, generationId: this.#term.epoch, memberId: this.#memberId, groupInstanceId }
  }

  commitRefused(code: number, memberEpoch: number): 'again' | 'out' {
    const term = this.#term
    const verdict = judgeMembersCommit(code)
    if (term?.epoch === memberEpoch) {
      // The coordinator is elsewhere than we think; what we know follows with the next answer, and the commit again.
      if (verdict === 'stale') term.doubt()
      if (verdict === 'fenced')
        term.end({ kind: 'lost', reason: 'the group answered a commit that it does not know us' })
    }
    return verdict === 'fenced' || term === null ? 'out' : 'again'
  }

  trouble(): TidemarkError | string | null {
    return this.#entrance.trouble
  }

  hasAssignment(): boolean {
    return this.#machine.is('stable', 'reconciling', 'closing')
  }

  facts(): MembershipFacts {
    return {
      state: this.#isKeptOut() ? awaitsPredecessor : this.#machine.current,
      memberId: this.#memberId,
      generationId: this.#term?.epoch ?? -1,
      // From Kafka 4.3 on a commit under a lower epoch is taken for what was assigned before.
      commitsAs: this.#memberId,
      lastHeartbeatAt: this.#lastHeartbeatAt,
    }
  }

  #isKeptOut(): boolean {
    return this.#machine.is('joining') && this.#entrance.waitsForPredecessor
  }

  async #run(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      // Before the division, so that what is added in between is known to be added.
      await this.#atFirst.learn(this.#ending.signal)
      const entered = await this.#entrance.join(this.#ending.signal)
      if (entered.kind === 'failed') this.#failure ??= entered.error
      if (entered.kind !== 'entered') break
      tell(this.#context.settings, { kind: 'inside-group-again' })
      await this.#belong(entered)
    }
    await this.#finish()
  }

  /** The life of one term: from its first answer until everything is given up or gone. */
  async #belong({ answer, askedAt }: Extract<Entered, { kind: 'entered' }>): Promise<void> {
    const term = new Term(answer.memberEpoch)
    this.#term = term
    this.#machine.to('stable')
    this.#beat(term, answer.heartbeatIntervalMs, askedAt).catch((defect: unknown) =>
      term.end({ kind: 'failed', error: crash(defect) }),
    )
    if (this.#failure) term.end({ kind: 'failed', error: this.#failure })
    const { memberEpoch: generation, assignment } = answer
    tell(this.#context.settings, {
      kind: 'joined',
      memberId: this.#memberId,
      generation,
      partitions: assignment?.length ?? 0,
    })
    // So that the consumer knows that nothing is its own, if so it is.
    if ((assignment ?? []).length === 0) this.#events.assigned([], this.#context.settings.from)
    this.#answered(term, answer, askedAt)

    const catchUp = () => {
      if (this.#subscription.isBehind) term.doubt()
    }
    const stopListening = this.#context.onTopicsChange?.(catchUp)
    // They may have become others while the join was out.
    catchUp()
    const first = await Promise.race([term.ended, this.#stopAsked.promise])
    stopListening?.()
    if (first.kind === 'stop') await this.#close(term)
    else this.#gone(term, first)
    term.leave()
    this.#term = null
    if (this.#machine.is('stable', 'reconciling')) this.#machine.to('joining')
  }

  async #beat(term: Term, intervalMs: number, joinAskedAt: number): Promise<void> {
    const answered = (answer: ConsumerGroupHeartbeatAnswer, at: number) => this.#answered(term, answer, at)
    const how = { heartbeats: this.#heartbeats, denials: this.#denials, intervalMs, joinAskedAt, answered }
    await keepAlive(this.#context, term, how)
  }

  #answered(term: Term, { memberEpoch, assignment }: ConsumerGroupHeartbeatAnswer, askedAt: number): void {
    this.#lastHeartbeatAt = askedAt
    term.told(memberEpoch, assignment)
    if (assignment === null) return
    if (this.#machine.is('closing'))
      this.#hurry(term.owned.notIn(term.target), Math.min(this.#closeBy(), this.#drainBy()))
    if (!this.#machine.is('stable')) return
    this.#machine.to('reconciling')
    this.#reconcile(term).catch((defect: unknown) => term.end({ kind: 'failed', error: crash(defect) }))
  }

  /** One step after the other, always towards what was told last. */
  async #reconcile(term: Term): Promise<void> {
    const goesOn = () => !term.over.aborted && this.#machine.is('reconciling')
    for (let attempt = 1, done = false; !done; attempt += 1) {
      const goes = term.owned.notIn(term.target)
      if (goes.length > 0) {
        await this.#events.revoked(goes, this.#drainBy())
        if (term.over.aborted) return
        term.owned.remove(goes)
        term.acknowledge()
      }
      if (!goesOn()) return
      const missing = term.owned.missingOf(term.target)
      const comes = this.#names.named(missing)
      if (comes.length > 0) this.#assign(term, comes)
      // Told anew while we waited: some of that may have to go again.
      done = comes.length === missing.length && term.owned.notIn(term.target).length === 0
      // Others may wait for what goes, so another target is not kept waiting by brokers that are slow to name topics.
      const isCut = comes.length < missing.length && !(await this.#lookUp(attempt, term))
      if (!isCut && this.#names.giveUp(term.owned.missingOf(term.target))) term.doubt()
      if (!goesOn()) return
    }
    this.#machine.to('stable')
    // What was meant for us may have gone again before anybody knew where it starts.
    if (term.owned.size === 0) this.#events.assigned([], this.#context.settings.from)
  }

  #lookUp(attempt: number, { over, retold }: Term): Promise<boolean> {
    return this.#names.lookUp(attempt, AbortSignal.any([over, retold]))
  }

  #assign(term: Term, comes: readonly OwnedById[]): void {
    const { from } = this.#context.settings
    term.owned.add(comes)
    const added = comes.filter((partition) => this.#atFirst.wasAdded(partition))
    const known = added.length === 0 ? comes : comes.filter((partition) => !added.includes(partition))
    if (known.length > 0) this.#events.assigned(known, from)
    if (added.length > 0) this.#events.assigned(added, 'earliest')
    term.acknowledge()
  }

  async #close(term: Term): Promise<void> {
    this.#machine.to('closing')
    const drained = this.#events.revoked(term.owned.all(), this.#closeBy()).then(() => ({ kind: 'drained' }) as const)
    const first = await Promise.race([term.ended, drained])
    if (first.kind !== 'drained') this.#gone(term, first)
  }

  /** Shortens what is waited for. */
  #hurry(partitions: readonly OwnedById[], deadline: number): void {
    if (partitions.length > 0) void this.#events.revoked(partitions, deadline) // never rejects
  }

  #drainBy(): number {
    return this.#context.runtime.clock.now() + this.#context.settings.rebalanceTimeoutMs * drainShare
  }

  #closeBy(): number {
    const now = this.#context.runtime.clock.now()
    const leftMs = Math.max(0, this.#stopDeadline - now)
    return now + leftMs - Math.min(this.#context.settings.requestTimeoutMs, leftMs * leaveShare)
  }

  #gone(term: Term, end: TermEnd): void {
    this.#events.lost(term.owned.all())
    if (end.kind === 'failed') {
      this.#failure ??= end.error
      this.#ending.abort(end.error)
      return
    }
    const next = this.#machine.is('closing') ? 'it was leaving' : 'joining again'
    tell(this.#context.settings, { kind: 'membership-lost', reason: end.reason, next })
  }

  #crashed(defect: unknown): void {
    this.#term?.leave()
    this.#events.lost(this.#term?.owned.all() ?? [])
    this.#term = null
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

  /** Nobody depends on the answer: without it the session times out. */
  async #leave(): Promise<void> {
    const { groupInstanceId, requestTimeoutMs, logger } = this.#context.settings
    const isForGood = leavesGroup(this.#context.settings)
    // Only who has a name can say that it comes back.
    if (this.#entrance.state === 'outside' || (groupInstanceId === null && !isForGood)) return
    const deadline = Math.min(this.#stopDeadline, this.#context.runtime.clock.now() + requestTimeoutMs)
    const epoch = isForGood ? memberEpochs.leaves : memberEpochs.leavesForAWhile
    const { kind } = await this.#heartbeats.leave(epoch, deadline)
    if (kind === 'answered') tell(this.#context.settings, { kind: 'left', memberId: this.#memberId })
    else logger.debug({ group: this.#line.key, kind }, 'leaving got no good answer; the session will time out')
  }
}

function crash(cause: unknown): DriverError {
  const message = `the group member met a defect: ${String(cause)}; report it with its cause`
  return new DriverError('defect', message, { cause })
}
