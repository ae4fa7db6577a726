import { brokerCode } from '../../../../connection/broker-error.js'
import type {
  GroupMemberIdentity,
  JoinGroupRequest,
  LeaveGroupRequest,
  SyncGroupRequest,
} from '../../../../connection/requests/groups.js'
import type { Clock } from '../../../../runtime/clock.js'
import type { Random } from '../../../../runtime/random.js'
import type { Runtime } from '../../../../runtime/runtime.js'
import { setBrokerTimer } from '../../cluster/broker-timer.js'
import type { ClusterSettings } from '../../cluster/cluster-state.js'
import { answerJoin, answerSync, joinAnswered, joinRefused, syncAnswered, syncRefused } from './answers.js'
import type { GroupGeneration, GroupSnapshot } from './generation.js'
import {
  emptyAssignment,
  haveCommonProtocol,
  offersTheSame,
  selectProtocol,
  type GroupMember,
  type JoinReply,
  type SyncReply,
} from './member.js'
import type { GroupMembers } from './members.js'
import { GroupRebalance, type GroupState } from './rebalance.js'

/** One consumer group at its coordinator: the classic protocol with generations and static members. */
export class ClassicGroup {
  readonly #rebalance: GroupRebalance
  readonly #members: GroupMembers
  readonly #generation: GroupGeneration
  readonly #clock: Clock
  readonly #random: Random

  constructor(
    readonly groupId: string,
    { clock, random }: Runtime,
    settings: ClusterSettings,
  ) {
    this.#rebalance = new GroupRebalance(clock, settings)
    this.#members = this.#rebalance.members
    this.#generation = this.#rebalance.generation
    this.#clock = clock
    this.#random = random
  }

  get state(): GroupState {
    return this.#rebalance.state.current
  }

  get generationId(): number {
    return this.#generation.generationId
  }

  get protocolName(): string {
    return this.#generation.protocolName
  }

  get leaderId(): string | null {
    return this.#generation.leaderId
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
      this.#joinKnown(request, clientId, reply)
    }
  }

  sync(request: SyncGroupRequest, reply: SyncReply): void {
    const problem = this.#problemWith(request)
    if (problem !== brokerCode.NONE) {
      reply(syncRefused(problem))
      return
    }
    const member = this.#members.get(request.memberId)!
    if (this.#rebalance.state.is('PreparingRebalance')) {
      reply(syncRefused(brokerCode.REBALANCE_IN_PROGRESS))
    } else if (this.#rebalance.state.is('Stable')) {
      member.hasSynced = true
      this.#rebalance.restartSession(member)
      reply(syncAnswered(member))
    } else {
      member.hasSynced = true
      member.sync = reply
      if (member.memberId === this.leaderId) this.#rebalance.assign(request)
    }
    this.#rebalance.noteSynced()
  }

  heartbeat(identity: GroupMemberIdentity): number {
    const problem = this.#problemWith(identity)
    if (problem !== brokerCode.NONE) return problem
    this.#rebalance.restartSession(this.#members.get(identity.memberId)!)
    return this.#rebalance.state.is('PreparingRebalance') ? brokerCode.REBALANCE_IN_PROGRESS : brokerCode.NONE
  }

  leave({ memberId, groupInstanceId }: LeaveGroupRequest): number {
    if (this.#members.forgetPendingId(memberId)) {
      this.#rebalance.completeJoinIfAllJoined()
      return brokerCode.NONE
    }
    // A static member may be named by its instance alone.
    const member = this.#members.ofInstance(groupInstanceId) ?? this.#members.get(memberId)
    const problem = this.#members.identityProblem(
      memberId === '' ? (member?.memberId ?? '') : memberId,
      groupInstanceId,
    )
    if (member === undefined || problem !== brokerCode.NONE) return problem
    this.#rebalance.remove(member)
    return brokerCode.NONE
  }

  /** May this member commit offsets now? A commit counts as a sign of life. */
  allowCommit(identity: GroupMemberIdentity): number {
    const { generationId, memberId, groupInstanceId } = identity
    if (generationId < 0 && this.#rebalance.state.is('Empty')) return brokerCode.NONE
    if (generationId < 0 && memberId === '' && groupInstanceId === null) return brokerCode.UNKNOWN_MEMBER_ID
    const problem = this.#problemWith(identity)
    if (problem !== brokerCode.NONE) return problem
    // While the assignment is made the member cannot know what is still its own.
    if (this.#rebalance.state.is('CompletingRebalance')) return brokerCode.REBALANCE_IN_PROGRESS
    this.#rebalance.restartSession(this.#members.get(memberId)!)
    return brokerCode.NONE
  }

  /** May this member commit offsets in a transaction? One that names neither itself nor a generation is not checked. */
  allowInTransaction(identity: GroupMemberIdentity): number {
    const { generationId, memberId, groupInstanceId } = identity
    const isNobody = generationId < 0 && memberId === '' && groupInstanceId === null
    return isNobody ? brokerCode.NONE : this.#problemWith(identity)
  }

  // ── From outside the protocol ─────────────────────────────────────────────────────────────────────────────────────

  /** Removes a member as if its session had expired. */
  kick(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member !== undefined) this.#rebalance.remove(member)
  }

  /** This coordinator gives the group away: parked requests are answered, and what was written down is returned. */
  unload(): GroupSnapshot {
    return this.#rebalance.unload()
  }

  /** A new coordinator takes the group over; every member gets a whole session to find it. */
  load(snapshot: GroupSnapshot): void {
    this.#rebalance.load(snapshot)
  }

  // ── Join phase ────────────────────────────────────────────────────────────────────────────────────────────────────

  #joinUnknown(request: JoinGroupRequest, clientId: string, reply: JoinReply): void {
    const { groupInstanceId } = request
    const memberId = `${groupInstanceId ?? clientId}-${this.#random.uuid()}`
    const predecessor = this.#members.ofInstance(groupInstanceId)
    if (predecessor !== undefined) {
      this.#replaceStatic(predecessor, memberId, request, clientId, reply)
    } else if (groupInstanceId !== null) {
      this.#admit(memberId, request, clientId, reply)
    } else {
      const expire = () => {
        this.#members.forgetPendingId(memberId)
        this.#rebalance.completeJoinIfAllJoined()
      }
      this.#members.addPendingId(memberId, setBrokerTimer(this.#clock, request.sessionTimeoutMs, expire))
      reply(joinRefused(memberId, brokerCode.MEMBER_ID_REQUIRED))
    }
  }

  #joinKnown(request: JoinGroupRequest, clientId: string, reply: JoinReply): void {
    const { memberId } = request
    if (this.#members.forgetPendingId(memberId)) {
      this.#admit(memberId, request, clientId, reply)
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
      (this.#rebalance.state.is('CompletingRebalance') ||
        (this.#rebalance.state.is('Stable') && memberId !== this.leaderId))
    if (nothingNew) {
      reply(joinAnswered(member, this, this.members))
      return
    }
    this.#takeOffer(member, request, reply)
    this.#rebalance.prepare()
  }

  #admit(memberId: string, request: JoinGroupRequest, clientId: string, reply: JoinReply): void {
    this.#rebalance.admit({
      memberId,
      instanceId: request.groupInstanceId,
      clientId,
      protocols: request.protocols,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      assignment: emptyAssignment,
      join: reply,
      sync: null,
      isNew: true,
      hasSynced: false,
      session: null,
    })
  }

  /** A static member came back under a new id; the old id is fenced from now on. */
  #replaceStatic(
    old: GroupMember,
    memberId: string,
    request: JoinGroupRequest,
    clientId: string,
    reply: JoinReply,
  ): void {
    const leaderSoFar = this.leaderId
    old.session?.cancel()
    answerJoin(old, joinRefused(old.memberId, brokerCode.FENCED_INSTANCE_ID))
    answerSync(old, syncRefused(brokerCode.FENCED_INSTANCE_ID))
    const member: GroupMember = { ...old, memberId, clientId, session: null }
    this.#members.replace(old, member)
    this.#generation.noteGone(old.memberId, member)
    this.#takeOffer(member, request, reply)
    this.#rebalance.restartSession(member)

    if (this.#rebalance.state.is('Stable') && selectProtocol(this.members) === this.protocolName) {
      this.#generation.writeDown(this.members)
      // With the old leader's id the returning leader takes itself for a follower and does not assign anew.
      answerJoin(member, { ...joinAnswered(member, this, this.members), leader: leaderSoFar ?? '', members: [] })
      return
    }
    this.#rebalance.prepare()
  }

  #takeOffer(member: GroupMember, request: JoinGroupRequest, reply: JoinReply): void {
    member.protocols = request.protocols
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    member.join = reply
  }

  // ── Members ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #problemWith(identity: GroupMemberIdentity): number {
    const problem = this.#members.identityProblem(identity.memberId, identity.groupInstanceId)
    if (problem !== brokerCode.NONE) return problem
    return identity.generationId === this.generationId ? brokerCode.NONE : brokerCode.ILLEGAL_GENERATION
  }
}
