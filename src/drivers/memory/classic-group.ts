import { brokerCode } from '../../connection/broker-error.js'
import type {
  GroupMemberIdentity,
  JoinGroupRequest,
  LeaveGroupRequest,
  SyncGroupRequest,
} from '../../connection/requests.js'
import type { Timer } from '../../runtime/clock.js'
import type { Runtime } from '../../runtime/runtime.js'
import { StateMachine } from '../../runtime/state-machine.js'
import type { ClusterSettings } from './cluster-state.js'
import { answerJoin, answerSync, joinAnswered, joinRefused, syncAnswered, syncRefused } from './group-answers.js'
import {
  emptyAssignment,
  haveCommonProtocol,
  offersTheSame,
  selectProtocol,
  type GroupMember,
  type JoinReply,
  type SyncReply,
} from './group-member.js'
import { GroupMembers } from './group-members.js'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/** What a coordinator writes down when a generation is settled, and the next coordinator reads. */
export interface GroupSnapshot {
  readonly generationId: number
  readonly protocolName: string
  readonly leaderId: string | null
  readonly members: readonly GroupMember[]
}

/** A new member may wait this long in a parked JoinGroup before it counts as gone. */
const newMemberTimeoutMs = 300_000

/** One consumer group at its coordinator: the classic protocol with generations and static members. */
export class ClassicGroup {
  readonly #state = new StateMachine<GroupState>('the group', 'Empty', {
    Empty: ['PreparingRebalance', 'Stable', 'Dead'],
    PreparingRebalance: ['CompletingRebalance', 'Empty', 'Dead'],
    CompletingRebalance: ['Stable', 'PreparingRebalance', 'Dead'],
    Stable: ['PreparingRebalance', 'Dead'],
    Dead: [],
  })
  readonly #members = new GroupMembers()
  #generationId = 0
  #protocolName = ''
  #leaderId: string | null = null
  /** Ends the join phase when some members do not come. */
  #joinTimer: Timer | null = null
  /** Ends the wait for members that joined but never sync. */
  #syncTimer: Timer | null = null
  /** The first rebalance of an empty group waits for more members to come. */
  #initialDelay: { remainingMs: number; sawNewMember: boolean } | null = null
  #snapshot: GroupSnapshot = { generationId: 0, protocolName: '', leaderId: null, members: [] }

  constructor(
    readonly groupId: string,
    private readonly runtime: Runtime,
    private readonly settings: ClusterSettings,
  ) {}

  get state(): GroupState {
    return this.#state.current
  }

  get generationId(): number {
    return this.#generationId
  }

  get protocolName(): string {
    return this.#protocolName
  }

  get leaderId(): string | null {
    return this.#leaderId
  }

  get members(): readonly GroupMember[] {
    return this.#members.all()
  }

  // ── Requests ──────────────────────────────────────────────────────────────────────────────────────────────────────

  join(request: JoinGroupRequest, clientId: string, reply: JoinReply): void {
    if (request.protocols.length === 0 || !haveCommonProtocol(this.members, request.protocols)) {
      reply(joinRefused(request.memberId, brokerCode.INCONSISTENT_GROUP_PROTOCOL))
    } else if (request.memberId === '') {
      this.#joinUnknown(request, clientId, reply)
    } else {
      this.#joinKnown(request, reply)
    }
  }

  sync(request: SyncGroupRequest, reply: SyncReply): void {
    const problem = this.#problemWith(request)
    if (problem !== brokerCode.NONE) {
      reply(syncRefused(problem))
      return
    }
    const member = this.#members.get(request.memberId)!
    if (this.#state.is('PreparingRebalance')) {
      reply(syncRefused(brokerCode.REBALANCE_IN_PROGRESS))
    } else if (this.#state.is('Stable')) {
      member.hasSynced = true
      this.#restartSession(member)
      reply(syncAnswered(member))
    } else {
      member.hasSynced = true
      member.sync = reply
      if (member.memberId === this.#leaderId) this.#assign(request)
    }
    if (this.members.every((each) => each.hasSynced)) this.#stopSyncTimer()
  }

  heartbeat(identity: GroupMemberIdentity): number {
    const problem = this.#problemWith(identity)
    if (problem !== brokerCode.NONE) return problem
    this.#restartSession(this.#members.get(identity.memberId)!)
    return this.#state.is('PreparingRebalance') ? brokerCode.REBALANCE_IN_PROGRESS : brokerCode.NONE
  }

  leave({ memberId, groupInstanceId }: LeaveGroupRequest): number {
    if (this.#members.forgetPendingId(memberId)) {
      this.#completeJoinIfAllJoined()
      return brokerCode.NONE
    }
    // A static member may be named by its instance alone.
    const member = this.#members.ofInstance(groupInstanceId) ?? this.#members.get(memberId)
    const problem = this.#members.identityProblem(
      memberId === '' ? (member?.memberId ?? '') : memberId,
      groupInstanceId,
    )
    if (member === undefined || problem !== brokerCode.NONE) return problem
    this.#remove(member)
    return brokerCode.NONE
  }

  /** May this member commit offsets now? A commit counts as a sign of life. */
  allowCommit(identity: GroupMemberIdentity): number {
    const { generationId, memberId, groupInstanceId } = identity
    if (generationId < 0 && this.#state.is('Empty')) return brokerCode.NONE
    if (generationId < 0 && memberId === '' && groupInstanceId === null) return brokerCode.UNKNOWN_MEMBER_ID
    const problem = this.#problemWith(identity)
    if (problem !== brokerCode.NONE) return problem
    // While the assignment is made the member cannot know what is still its own.
    if (this.#state.is('CompletingRebalance')) return brokerCode.REBALANCE_IN_PROGRESS
    this.#restartSession(this.#members.get(memberId)!)
    return brokerCode.NONE
  }

  // ── From outside the protocol ─────────────────────────────────────────────────────────────────────────────────────

  /** Removes a member as if its session had expired. */
  kick(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member !== undefined) this.#remove(member)
  }

  /** This coordinator gives the group away: parked requests are answered, and what was written down is returned. */
  unload(): GroupSnapshot {
    for (const member of this.members) {
      member.session?.cancel()
      answerJoin(member, joinRefused(member.memberId, brokerCode.NOT_COORDINATOR))
      answerSync(member, syncRefused(brokerCode.NOT_COORDINATOR))
    }
    this.#members.forgetPendingIds()
    this.#joinTimer?.cancel()
    this.#stopSyncTimer()
    this.#state.to('Dead')
    return this.#snapshot
  }

  /** A new coordinator takes the group over; every member gets a whole session to find it. */
  load(snapshot: GroupSnapshot): void {
    this.#snapshot = snapshot
    this.#generationId = snapshot.generationId
    this.#protocolName = snapshot.protocolName
    this.#leaderId = snapshot.leaderId
    for (const kept of snapshot.members) {
      const member = { ...kept, session: null }
      this.#members.add(member)
      this.#restartSession(member)
    }
    if (snapshot.members.length > 0) this.#state.to('Stable')
  }

  // ── Join phase ────────────────────────────────────────────────────────────────────────────────────────────────────

  #joinUnknown(request: JoinGroupRequest, clientId: string, reply: JoinReply): void {
    const { groupInstanceId } = request
    const memberId = `${groupInstanceId ?? clientId}-${this.runtime.random.uuid()}`
    const predecessor = this.#members.ofInstance(groupInstanceId)
    if (predecessor !== undefined) {
      this.#replaceStatic(predecessor, memberId, request, reply)
    } else if (groupInstanceId !== null) {
      this.#addAndRebalance(memberId, request, reply)
    } else {
      const expire = () => {
        this.#members.forgetPendingId(memberId)
        this.#completeJoinIfAllJoined()
      }
      this.#members.addPendingId(memberId, this.#timer(request.sessionTimeoutMs, expire))
      reply(joinRefused(memberId, brokerCode.MEMBER_ID_REQUIRED))
    }
  }

  #joinKnown(request: JoinGroupRequest, reply: JoinReply): void {
    const { memberId } = request
    if (this.#members.forgetPendingId(memberId)) {
      this.#addAndRebalance(memberId, request, reply)
      return
    }
    const problem = this.#members.identityProblem(memberId, request.groupInstanceId)
    if (problem !== brokerCode.NONE) {
      reply(joinRefused(memberId, problem))
      return
    }
    const member = this.#members.get(memberId)!
    const nothingNew =
      offersTheSame(member, request.protocols) &&
      // A leader that joins a stable group asks for a rebalance: it saw the topics change.
      (this.#state.is('CompletingRebalance') || (this.#state.is('Stable') && memberId !== this.#leaderId))
    if (nothingNew) {
      reply(joinAnswered(member, this, this.members))
      return
    }
    this.#takeOffer(member, request, reply)
    this.#prepareRebalance()
  }

  #addAndRebalance(memberId: string, request: JoinGroupRequest, reply: JoinReply): void {
    const member: GroupMember = {
      memberId,
      instanceId: request.groupInstanceId,
      protocols: request.protocols,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      assignment: emptyAssignment,
      join: reply,
      sync: null,
      isNew: true,
      hasSynced: false,
      session: null,
    }
    if (this.#initialDelay !== null) this.#initialDelay.sawNewMember = true
    this.#members.add(member)
    this.#leaderId ??= memberId
    this.#restartSession(member, newMemberTimeoutMs)
    this.#prepareRebalance()
  }

  /** A static member came back under a new id; the old id is fenced from now on. */
  #replaceStatic(old: GroupMember, memberId: string, request: JoinGroupRequest, reply: JoinReply): void {
    const currentLeader = this.#leaderId
    old.session?.cancel()
    answerJoin(old, joinRefused(old.memberId, brokerCode.FENCED_INSTANCE_ID))
    answerSync(old, syncRefused(brokerCode.FENCED_INSTANCE_ID))
    const member: GroupMember = { ...old, memberId, session: null }
    this.#members.replace(old, member)
    if (this.#leaderId === old.memberId) this.#leaderId = memberId
    this.#takeOffer(member, request, reply)
    this.#restartSession(member)

    if (this.#state.is('Stable') && selectProtocol(this.members) === this.#protocolName) {
      this.#writeDown()
      // With the old leader's id the returning leader takes itself for a follower and does not assign anew.
      answerJoin(member, { ...joinAnswered(member, this, this.members), leader: currentLeader ?? '', members: [] })
      return
    }
    this.#prepareRebalance()
  }

  #takeOffer(member: GroupMember, request: JoinGroupRequest, reply: JoinReply): void {
    member.protocols = request.protocols
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    member.join = reply
  }

  #prepareRebalance(): void {
    if (this.#state.is('PreparingRebalance')) {
      this.#completeJoinIfAllJoined()
      return
    }
    for (const member of this.members) {
      member.assignment = this.#state.is('CompletingRebalance') ? emptyAssignment : member.assignment
      if (answerSync(member, syncRefused(brokerCode.REBALANCE_IN_PROGRESS))) this.#restartSession(member)
    }
    this.#stopSyncTimer()
    const wasEmpty = this.#state.is('Empty')
    this.#state.to('PreparingRebalance')
    if (wasEmpty) this.#waitForFirstMembers()
    else {
      this.#startJoinTimer(this.#members.longestRebalanceTimeoutMs(), () => this.#completeJoin())
      this.#completeJoinIfAllJoined()
    }
  }

  #waitForFirstMembers(): void {
    const delayMs = this.settings.initialRebalanceDelayMs
    this.#initialDelay = {
      remainingMs: Math.max(this.#members.longestRebalanceTimeoutMs() - delayMs, 0),
      sawNewMember: false,
    }
    this.#startJoinTimer(delayMs, () => this.#endInitialDelay())
  }

  #endInitialDelay(): void {
    const delay = this.#initialDelay
    const nextMs = delay?.sawNewMember ? Math.min(this.settings.initialRebalanceDelayMs, delay.remainingMs) : 0
    if (delay === null || nextMs === 0) {
      this.#initialDelay = null
      this.#completeJoin()
      return
    }
    this.#initialDelay = { remainingMs: delay.remainingMs - nextMs, sawNewMember: false }
    this.#startJoinTimer(nextMs, () => this.#endInitialDelay())
  }

  #completeJoinIfAllJoined(): void {
    if (!this.#state.is('PreparingRebalance') || this.#initialDelay !== null || this.#members.hasPendingIds) return
    if (this.members.every((member) => member.join !== null)) this.#completeJoin()
  }

  /** Ends the join phase: those who came make the next generation, dynamic members who did not are out. */
  #completeJoin(): void {
    this.#joinTimer?.cancel()
    this.#joinTimer = null
    for (const member of this.members) {
      if (member.join === null && member.instanceId === null) this.#delete(member)
    }
    if (this.#members.size > 0 && !this.#electLeader()) {
      // Only static members are left and none came: their sessions decide.
      this.#startJoinTimer(this.#members.longestRebalanceTimeoutMs(), () => this.#completeJoin())
      return
    }
    this.#generationId += 1
    if (this.#members.size === 0) this.#becomeEmpty()
    else this.#beginGeneration()
  }

  #becomeEmpty(): void {
    this.#protocolName = ''
    this.#leaderId = null
    this.#state.to('Empty')
    this.#writeDown()
  }

  #beginGeneration(): void {
    this.#protocolName = selectProtocol(this.members)
    this.#state.to('CompletingRebalance')
    for (const member of this.members) {
      member.hasSynced = false
      member.isNew = false
      this.#restartSession(member)
      answerJoin(member, joinAnswered(member, this, this.members))
    }
    const generationId = this.#generationId
    this.#syncTimer = this.#timer(this.#members.longestRebalanceTimeoutMs(), () => this.#expireSync(generationId))
  }

  #electLeader(): boolean {
    const leader = this.#members.get(this.#leaderId)
    if (leader?.join) return true
    const next = this.members.find((member) => member.join !== null)
    if (next === undefined) return false
    this.#leaderId = next.memberId
    return true
  }

  // ── Sync phase ────────────────────────────────────────────────────────────────────────────────────────────────────

  #assign(request: SyncGroupRequest): void {
    const byMember = new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment]))
    this.#state.to('Stable')
    for (const member of this.members) {
      member.assignment = byMember.get(member.memberId) ?? emptyAssignment
      // A session that ran out while the member waited here did not count, so it starts again.
      if (answerSync(member, syncAnswered(member))) this.#restartSession(member)
    }
    this.#writeDown()
  }

  #expireSync(generationId: number): void {
    this.#syncTimer = null
    if (generationId !== this.#generationId || !this.#state.is('CompletingRebalance', 'Stable')) return
    const missing = this.members.filter((member) => !member.hasSynced)
    if (missing.length === 0) return
    for (const member of missing) this.#delete(member)
    this.#prepareRebalance()
  }

  // ── Members ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #problemWith(identity: GroupMemberIdentity): number {
    const problem = this.#members.identityProblem(identity.memberId, identity.groupInstanceId)
    if (problem !== brokerCode.NONE) return problem
    return identity.generationId === this.#generationId ? brokerCode.NONE : brokerCode.ILLEGAL_GENERATION
  }

  #restartSession(member: GroupMember, timeoutMs = member.sessionTimeoutMs): void {
    member.session?.cancel()
    member.session = this.#timer(timeoutMs, () => this.#expireSession(member))
  }

  #expireSession(member: GroupMember): void {
    // A member whose request is parked here is alive; its session starts again with the answer.
    if (!member.isNew && (member.join !== null || member.sync !== null)) return
    this.#remove(member)
  }

  #remove(member: GroupMember): void {
    this.#delete(member)
    if (this.#state.is('Stable', 'CompletingRebalance')) this.#prepareRebalance()
    else this.#completeJoinIfAllJoined()
  }

  #delete(member: GroupMember): void {
    member.session?.cancel()
    answerJoin(member, joinRefused('', brokerCode.UNKNOWN_MEMBER_ID))
    answerSync(member, syncRefused(brokerCode.UNKNOWN_MEMBER_ID))
    this.#members.delete(member)
    if (this.#leaderId === member.memberId) this.#leaderId = this.members[0]?.memberId ?? null
  }

  /** The group is a broker's: a member that said no goodbye must not keep the process of its client alive. */
  #timer(delayMs: number, callback: () => void): Timer {
    const timer = this.runtime.clock.setTimer(delayMs, callback)
    timer.unref?.()
    return timer
  }

  #startJoinTimer(delayMs: number, callback: () => void): void {
    this.#joinTimer?.cancel()
    this.#joinTimer = this.#timer(delayMs, callback)
  }

  #stopSyncTimer(): void {
    this.#syncTimer?.cancel()
    this.#syncTimer = null
  }

  #writeDown(): void {
    this.#snapshot = {
      generationId: this.#generationId,
      protocolName: this.#protocolName,
      leaderId: this.#leaderId,
      members: this.members.map((member) => ({
        ...member,
        join: null,
        sync: null,
        session: null,
        isNew: false,
        hasSynced: true,
      })),
    }
  }
}
