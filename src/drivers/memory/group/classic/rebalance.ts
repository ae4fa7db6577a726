import { brokerCode } from '../../../../connection/broker-error.js'
import type { SyncGroupRequest } from '../../../../connection/requests/groups.js'
import type { Clock, Timer } from '../../../../runtime/clock.js'
import { StateMachine } from '../../../../runtime/state-machine.js'
import { setBrokerTimer } from '../../cluster/broker-timer.js'
import type { ClusterSettings } from '../../cluster/cluster-state.js'
import { answerJoin, answerSync, joinAnswered, joinRefused, syncAnswered, syncRefused } from './answers.js'
import { GroupGeneration, type GroupSnapshot } from './generation.js'
import { JoinWindow } from './join-window.js'
import { emptyAssignment, type GroupMember } from './member.js'
import { GroupMembers } from './members.js'

/** In Kafka's words. More may come. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/** A new member may wait this long in a parked JoinGroup before it counts as gone. */
const newMemberTimeoutMs = 300_000

/** How the members of a group come to a generation: all join, one assigns, all are told; who stays away is out. */
export class GroupRebalance {
  readonly state = new StateMachine<GroupState>('the group', 'Empty', {
    Empty: ['PreparingRebalance', 'Stable', 'Dead'],
    PreparingRebalance: ['CompletingRebalance', 'Empty', 'Dead'],
    CompletingRebalance: ['Stable', 'PreparingRebalance', 'Dead'],
    Stable: ['PreparingRebalance', 'Dead'],
    Dead: [],
  })
  readonly members = new GroupMembers()
  readonly generation = new GroupGeneration()
  readonly #joinWindow: JoinWindow
  readonly #clock: Clock
  /** Ends the wait for members that joined but never sync. */
  #syncTimer: Timer | null = null

  constructor(clock: Clock, settings: ClusterSettings) {
    this.#clock = clock
    this.#joinWindow = new JoinWindow(clock, settings, () => this.#completeJoin())
  }

  /** A member that joins for the first time. */
  admit(member: GroupMember): void {
    this.#joinWindow.noteNewMember()
    this.members.add(member)
    this.generation.noteMember(member.memberId)
    this.restartSession(member, newMemberTimeoutMs)
    this.prepare()
  }

  /** Calls all members together; a rebalance that is going on goes on. */
  prepare(): void {
    if (this.state.is('PreparingRebalance')) {
      this.completeJoinIfAllJoined()
      return
    }
    for (const member of this.members.all()) {
      member.assignment = this.state.is('CompletingRebalance') ? emptyAssignment : member.assignment
      if (answerSync(member, syncRefused(brokerCode.REBALANCE_IN_PROGRESS))) this.restartSession(member)
    }
    this.#stopSyncTimer()
    const wasEmpty = this.state.is('Empty')
    this.state.to('PreparingRebalance')
    const longestMs = this.members.longestRebalanceTimeoutMs()
    if (wasEmpty) this.#joinWindow.openForFirstMembers(longestMs)
    else {
      this.#joinWindow.open(longestMs)
      this.completeJoinIfAllJoined()
    }
  }

  /** Ends the join phase early when nobody is waited for. */
  completeJoinIfAllJoined(): void {
    if (!this.state.is('PreparingRebalance') || this.#joinWindow.waitsForStrangers || this.members.hasPendingIds) return
    if (this.members.all().every((member) => member.join !== null)) this.#completeJoin()
  }

  /** Ends the join phase: those who came make the next generation, dynamic members who did not are out. */
  #completeJoin(): void {
    this.#joinWindow.close()
    for (const member of this.members.all()) {
      if (member.join === null && member.instanceId === null) this.#delete(member)
    }
    if (this.members.size > 0 && !this.generation.electLeader(this.members.all())) {
      // Only static members are left and none came: their sessions decide.
      this.#joinWindow.open(this.members.longestRebalanceTimeoutMs())
      return
    }
    this.generation.begin(this.members.all())
    if (this.members.size === 0) {
      this.state.to('Empty')
      this.generation.writeDown([])
    } else this.#tellGeneration()
  }

  #tellGeneration(): void {
    this.state.to('CompletingRebalance')
    for (const member of this.members.all()) {
      member.hasSynced = false
      member.isNew = false
      this.restartSession(member)
      answerJoin(member, joinAnswered(member, this.generation, this.members.all()))
    }
    const { generationId } = this.generation
    const longestMs = this.members.longestRebalanceTimeoutMs()
    this.#syncTimer = setBrokerTimer(this.#clock, longestMs, () => this.#expireSync(generationId))
  }

  /** The leader has dealt the partitions out. */
  assign(request: SyncGroupRequest): void {
    const byMember = new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment]))
    this.state.to('Stable')
    for (const member of this.members.all()) {
      member.assignment = byMember.get(member.memberId) ?? emptyAssignment
      // A session that ran out while the member waited here did not count, so it starts again.
      if (answerSync(member, syncAnswered(member))) this.restartSession(member)
    }
    this.generation.writeDown(this.members.all())
  }

  #expireSync(generationId: number): void {
    this.#syncTimer = null
    if (generationId !== this.generation.generationId || !this.state.is('CompletingRebalance', 'Stable')) return
    const missing = this.members.all().filter((member) => !member.hasSynced)
    if (missing.length === 0) return
    for (const member of missing) this.#delete(member)
    this.prepare()
  }

  /** Once all have asked for their assignment nobody is waited for. */
  noteSynced(): void {
    if (this.members.all().every((each) => each.hasSynced)) this.#stopSyncTimer()
  }

  /** A sign of life. */
  restartSession(member: GroupMember, timeoutMs = member.sessionTimeoutMs): void {
    member.session?.cancel()
    member.session = setBrokerTimer(this.#clock, timeoutMs, () => this.#expireSession(member))
  }

  #expireSession(member: GroupMember): void {
    // A member whose request is parked here is alive; its session starts again with the answer.
    if (!member.isNew && (member.join !== null || member.sync !== null)) return
    this.remove(member)
  }

  /** It left, or its session ran out. */
  remove(member: GroupMember): void {
    this.#delete(member)
    if (this.state.is('Stable', 'CompletingRebalance')) this.prepare()
    else this.completeJoinIfAllJoined()
  }

  #delete(member: GroupMember): void {
    member.session?.cancel()
    answerJoin(member, joinRefused('', brokerCode.UNKNOWN_MEMBER_ID))
    answerSync(member, syncRefused(brokerCode.UNKNOWN_MEMBER_ID))
    this.members.delete(member)
    this.generation.noteGone(member.memberId, this.members.all()[0])
  }

  #stopSyncTimer(): void {
    this.#syncTimer?.cancel()
    this.#syncTimer = null
  }

  /** Parked requests are answered, nothing is waited for any more, and what was written down is returned. */
  unload(): GroupSnapshot {
    for (const member of this.members.all()) {
      member.session?.cancel()
      answerJoin(member, joinRefused(member.memberId, brokerCode.NOT_COORDINATOR))
      answerSync(member, syncRefused(brokerCode.NOT_COORDINATOR))
    }
    this.members.forgetPendingIds()
    this.#joinWindow.close()
    this.#stopSyncTimer()
    this.state.to('Dead')
    return this.generation.snapshot
  }

  /** Every member gets a whole session to find the new coordinator. */
  load(snapshot: GroupSnapshot): void {
    this.generation.load(snapshot)
    for (const kept of snapshot.members) {
      const member = { ...kept, session: null }
      this.members.add(member)
      this.restartSession(member)
    }
    if (snapshot.members.length > 0) this.state.to('Stable')
  }
}
