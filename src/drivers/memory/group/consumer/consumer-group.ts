import { brokerCode, brokerCodeName } from '../../../../connection/broker-error.js'
import {
  memberEpochs,
  type ConsumerGroupHeartbeatAnswer,
  type ConsumerGroupHeartbeatRequest,
  type PartitionById,
} from '../../../../connection/requests/consumer-groups.js'
import type { GroupMemberIdentity } from '../../../../connection/requests/groups.js'
import { setBrokerTimer } from '../../cluster/broker-timer.js'
import type { ClusterState, Topic } from '../../cluster/cluster-state.js'
import type { ConsumerMember, MemberTimers } from './member.js'
import { noPartitions, partitionSet, sameSet, type PartitionSet } from './partition-set.js'
import { nextStanding } from './reconciliation.js'
import { defaultServerAssignor, meantFor, serverAssignors, type Division } from './server-assignors.js'

/** In Kafka's words. More may come. */
export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

/** What a coordinator has written down: all of it, with every answer. */
export interface ConsumerGroupSnapshot {
  readonly groupEpoch: number
  readonly targetEpoch: number
  readonly division: Division
  readonly members: readonly ConsumerMember[]
  /** What the group epoch was raised for: what changes while the group is nowhere is seen where it comes to. */
  readonly subscribed: string
}

/**
 * One group whose coordinator divides the partitions (KIP-848). Three epochs: the group's rises with what is subscribed and
 * what topics there are, the division is made for one of them, and each member comes to it at its own pace.
 */
export class ConsumerGroup {
  readonly #cluster: ClusterState
  readonly #groupId: string
  readonly #members = new Map<string, ConsumerMember>()
  readonly #timers = new Map<string, MemberTimers>()
  /** Who has a partition, or is about to give it back. */
  readonly #owners = new Map<string, string>()
  #groupEpoch = 0
  #targetEpoch = 0
  #division: Division = new Map()
  #subscribed = ''

  constructor(cluster: ClusterState, groupId: string, snapshot: ConsumerGroupSnapshot | null) {
    this.#cluster = cluster
    this.#groupId = groupId
    if (snapshot === null) return
    this.#groupEpoch = snapshot.groupEpoch
    this.#targetEpoch = snapshot.targetEpoch
    this.#division = snapshot.division
    for (const member of snapshot.members) {
      this.#write(member)
      this.#restartSession(member.memberId)
      if (member.state === 'unrevoked') this.#startRebalanceTimer(member)
    }
    this.#subscribed = snapshot.subscribed
  }

  get state(): ConsumerGroupState {
    if (this.#members.size === 0) return 'Empty'
    if (this.#groupEpoch > this.#targetEpoch) return 'Assigning'
    const isThere = ({ state, epoch }: ConsumerMember) => state === 'stable' && epoch === this.#targetEpoch
    return this.members.every(isThere) ? 'Stable' : 'Reconciling'
  }

  get generationId(): number {
    return this.#groupEpoch
  }

  get members(): readonly ConsumerMember[] {
    return [...this.#members.values()]
  }

  get assignorName(): string {
    const wishes = this.members.flatMap(({ serverAssignor }) => serverAssignor ?? [])
    const votes = (name: string) => wishes.filter((wish) => wish === name).length
    return [...new Set(wishes)].sort((a, b) => votes(b) - votes(a))[0] ?? defaultServerAssignor
  }

  meantFor(memberId: string): PartitionSet {
    return meantFor(this.#division, memberId)
  }

  heartbeat(request: ConsumerGroupHeartbeatRequest, clientId: string): ConsumerGroupHeartbeatAnswer {
    const { memberEpoch } = request
    if (memberEpoch < memberEpochs.joins) return this.#leave(request)
    const member = memberEpoch === memberEpochs.joins ? this.#admit(request, clientId) : this.#find(request)
    if (typeof member === 'number') return heartbeatRefused(member)
    this.#restartSession(member.memberId)
    const updated = this.#subscribe(member, request)
    this.#noteChanges()
    const owned = request.partitions === null ? null : partitionSet(request.partitions)
    const target = { target: meantFor(this.#division, member.memberId), epoch: this.#targetEpoch }
    const standing = nextStanding(updated, target, owned, (key) => !this.#owners.has(key))
    const next = { ...updated, ...standing }
    this.#write(next)
    if (next.state !== 'unrevoked') this.#stopRebalanceTimer(next.memberId)
    else if (updated.state !== 'unrevoked' || updated.epoch !== next.epoch) this.#startRebalanceTimer(next)

    const tellsAll = memberEpoch === memberEpochs.joins || isFull(request) || !sameSet(member.assigned, next.assigned)
    return {
      ...heartbeatRefused(brokerCode.NONE),
      errorMessage: null,
      memberId: next.memberId,
      memberEpoch: next.epoch,
      heartbeatIntervalMs: this.#cluster.groupConfigs.heartbeatIntervalMs(this.#groupId),
      assignment: tellsAll ? [...next.assigned.values()] : null,
    }
  }

  /** Why this member may not commit; NONE when it may. A commit is no sign of life. */
  allowCommit({ memberId, generationId }: GroupMemberIdentity): number {
    if (generationId < 0 && this.#members.size === 0) return brokerCode.NONE
    const member = this.#members.get(memberId)
    if (generationId < 0 || member === undefined) return brokerCode.UNKNOWN_MEMBER_ID
    return member.epoch === generationId ? brokerCode.NONE : brokerCode.STALE_MEMBER_EPOCH
  }

  /** One that names neither itself nor an epoch is not checked. */
  allowInTransaction(identity: GroupMemberIdentity): number {
    const { generationId, memberId, groupInstanceId } = identity
    if (generationId < 0 && memberId === '' && groupInstanceId === null) return brokerCode.NONE
    const problem = this.allowCommit(identity)
    return problem === brokerCode.STALE_MEMBER_EPOCH ? brokerCode.ILLEGAL_GENERATION : problem
  }

  /** Removes a member as if its session had expired. */
  kick(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member !== undefined) this.#remove(member)
  }

  /** This coordinator gives the group away. */
  unload(): ConsumerGroupSnapshot {
    for (const memberId of this.#timers.keys()) this.#stopTimers(memberId)
    return {
      groupEpoch: this.#groupEpoch,
      targetEpoch: this.#targetEpoch,
      division: this.#division,
      members: this.members,
      subscribed: this.#subscribed,
    }
  }

  /** @returns the code of its refusal */
  #find({
    memberId,
    memberEpoch,
    groupInstanceId,
    partitions,
  }: ConsumerGroupHeartbeatRequest): ConsumerMember | number {
    const member = this.#members.get(memberId)
    const ofInstance = groupInstanceId === null ? member : this.#ofInstance(groupInstanceId)
    if (ofInstance !== undefined && ofInstance.memberId !== memberId) return brokerCode.FENCED_INSTANCE_ID
    if (member === undefined || ofInstance === undefined) return brokerCode.UNKNOWN_MEMBER_ID
    if (memberEpoch === member.epoch) return member
    // The answer with the new epoch may have got lost.
    const missedOne =
      memberEpoch === member.previousEpoch &&
      partitions !== null &&
      [...partitionSet(partitions).keys()].every((key) => member.assigned.has(key))
    return missedOne ? member : brokerCode.FENCED_MEMBER_EPOCH
  }

  /** @returns the code of its refusal */
  #admit(request: ConsumerGroupHeartbeatRequest, clientId: string): ConsumerMember | number {
    const { memberId, groupInstanceId, rebalanceTimeoutMs } = request
    const before = groupInstanceId === null ? this.#members.get(memberId) : this.#ofInstance(groupInstanceId)
    if (before === undefined) {
      const unsubscribed = { rackId: null, topics: [], regex: null, serverAssignor: null, rebalanceTimeoutMs }
      return {
        ...{ memberId, instanceId: groupInstanceId, clientId, ...unsubscribed },
        ...{ epoch: 0, previousEpoch: 0, state: 'stable', assigned: noPartitions, revoking: noPartitions },
      }
    }
    if (groupInstanceId === null) return before
    // Only one that said it would be back makes room; another one may live.
    if (before.epoch !== memberEpochs.leavesForAWhile) return brokerCode.UNRELEASED_INSTANCE_ID
    const successor = { ...before, memberId, clientId, epoch: 0, previousEpoch: 0 }
    const division = new Map(this.#division)
    division.delete(before.memberId)
    division.set(memberId, meantFor(this.#division, before.memberId))
    this.#division = division
    this.#forget(before)
    this.#write(successor)
    return successor
  }

  #subscribe(member: ConsumerMember, request: ConsumerGroupHeartbeatRequest): ConsumerMember {
    const { rackId, subscribedTopics, subscribedTopicRegex, rebalanceTimeoutMs, serverAssignor } = request
    const updated = {
      ...member,
      rackId: rackId ?? member.rackId,
      topics: subscribedTopics ?? member.topics,
      regex: subscribedTopicRegex === '' ? null : (subscribedTopicRegex ?? member.regex),
      serverAssignor: serverAssignor ?? member.serverAssignor,
      rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : rebalanceTimeoutMs,
    }
    this.#write(updated)
    return updated
  }

  /** Divides anew when members, what they read, or the topics changed. */
  #noteChanges(): void {
    const subscribed = this.#describeSubscribed()
    if (subscribed !== this.#subscribed) {
      this.#subscribed = subscribed
      this.#groupEpoch += 1
    }
    if (this.#groupEpoch === this.#targetEpoch) return
    const assign = serverAssignors.get(this.assignorName)!
    const partitions = new Map([...this.#cluster.topics.values()].map((topic) => [topic, partitionsOf(topic)]))
    this.#division = assign(
      this.members.map((member) => ({
        memberId: member.memberId,
        topics: this.#topicsOf(member).map((topic) => partitions.get(topic)!),
        before: meantFor(this.#division, member.memberId),
      })),
    )
    this.#targetEpoch = this.#groupEpoch
  }

  #describeSubscribed(): string {
    const ofMember = (member: ConsumerMember) => [
      member.instanceId ?? member.memberId,
      member.serverAssignor,
      this.#topicsOf(member).map(({ topicId, partitions }) => [topicId, partitions.length]),
    ]
    return JSON.stringify(this.members.map(ofMember))
  }

  #topicsOf({ topics, regex }: ConsumerMember): readonly Topic[] {
    const whole = regex === null ? null : new RegExp(`^(?:${regex})$`)
    return [...this.#cluster.topics.values()]
      .filter(({ name }) => topics.includes(name) || whole?.test(name) === true)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  #leave({ memberId, memberEpoch, groupInstanceId }: ConsumerGroupHeartbeatRequest): ConsumerGroupHeartbeatAnswer {
    const member = this.#members.get(memberId)
    const ofInstance = groupInstanceId === null ? member : this.#ofInstance(groupInstanceId)
    if (ofInstance !== undefined && ofInstance.memberId !== memberId) {
      return heartbeatRefused(brokerCode.FENCED_INSTANCE_ID)
    }
    if (member === undefined) return heartbeatRefused(brokerCode.UNKNOWN_MEMBER_ID)
    if (memberEpoch === memberEpochs.leavesForAWhile) {
      this.#stopRebalanceTimer(memberId)
      this.#write({ ...member, epoch: memberEpoch, previousEpoch: memberEpoch })
    } else this.#remove(member)
    return { ...heartbeatRefused(brokerCode.NONE), errorMessage: null, memberId, memberEpoch }
  }

  #ofInstance(instanceId: string): ConsumerMember | undefined {
    return this.members.find((member) => member.instanceId === instanceId)
  }

  #remove(member: ConsumerMember): void {
    this.#forget(member)
    this.#subscribed = this.#describeSubscribed()
    this.#groupEpoch += 1
  }

  #forget(member: ConsumerMember): void {
    this.#stopTimers(member.memberId)
    this.#members.delete(member.memberId)
    this.#disown(member)
  }

  #write(member: ConsumerMember): void {
    const before = this.#members.get(member.memberId)
    if (before !== undefined) this.#disown(before)
    this.#members.set(member.memberId, member)
    for (const has of [member.assigned, member.revoking]) {
      for (const key of has.keys()) this.#owners.set(key, member.memberId)
    }
  }

  #disown({ memberId, assigned, revoking }: ConsumerMember): void {
    const disown = (has: PartitionSet) => {
      for (const key of has.keys()) if (this.#owners.get(key) === memberId) this.#owners.delete(key)
    }
    disown(assigned)
    disown(revoking)
  }

  #restartSession(memberId: string): void {
    const timers = this.#timersOf(memberId)
    timers.session?.cancel()
    const sessionMs = this.#cluster.groupConfigs.sessionTimeoutMs(this.#groupId)
    timers.session = setBrokerTimer(this.#cluster.runtime.clock, sessionMs, () => this.kick(memberId))
  }

  #startRebalanceTimer({ memberId, rebalanceTimeoutMs }: ConsumerMember): void {
    const timers = this.#timersOf(memberId)
    timers.rebalance?.cancel()
    timers.rebalance = setBrokerTimer(this.#cluster.runtime.clock, rebalanceTimeoutMs, () => this.kick(memberId))
  }

  #stopRebalanceTimer(memberId: string): void {
    const timers = this.#timers.get(memberId)
    timers?.rebalance?.cancel()
    if (timers !== undefined) timers.rebalance = null
  }

  #stopTimers(memberId: string): void {
    this.#timers.get(memberId)?.session?.cancel()
    this.#timers.get(memberId)?.rebalance?.cancel()
    this.#timers.delete(memberId)
  }

  #timersOf(memberId: string): MemberTimers {
    let timers = this.#timers.get(memberId)
    if (timers === undefined) {
      timers = { session: null, rebalance: null }
      this.#timers.set(memberId, timers)
    }
    return timers
  }
}

function partitionsOf({ topicId, partitions }: Topic): readonly PartitionById[] {
  return partitions.map((_, partition) => ({ topicId, partition }))
}

function isFull({
  rebalanceTimeoutMs,
  subscribedTopics,
  subscribedTopicRegex,
  partitions,
}: ConsumerGroupHeartbeatRequest) {
  const hasSubscription = subscribedTopics !== null || subscribedTopicRegex !== null
  return rebalanceTimeoutMs !== -1 && hasSubscription && partitions !== null
}

/** What a broker has against the request whatever the group is; NONE when nothing. */
export function requestProblem(request: ConsumerGroupHeartbeatRequest): number {
  const { memberId, memberEpoch, groupInstanceId, rackId, serverAssignor, partitions } = request
  const joinsBadly =
    memberEpoch === memberEpochs.joins &&
    (request.rebalanceTimeoutMs === -1 ||
      partitions?.length !== 0 ||
      (request.subscribedTopics === null && request.subscribedTopicRegex === null))
  const leavesBadly = memberEpoch === memberEpochs.leavesForAWhile && groupInstanceId === null
  const isBad = memberId === '' || groupInstanceId === '' || rackId === '' || joinsBadly || leavesBadly
  if (isBad || memberEpoch < memberEpochs.leavesForAWhile) return brokerCode.INVALID_REQUEST
  if (!isRe2(request.subscribedTopicRegex ?? '')) return brokerCode.INVALID_REGULAR_EXPRESSION
  if (serverAssignor !== null && !serverAssignors.has(serverAssignor)) return brokerCode.UNSUPPORTED_ASSIGNOR
  return brokerCode.NONE
}

/** It neither looks around nor refers back. What else it lacks or has of its own is not known here. */
function isRe2(regex: string): boolean {
  if (/\(\?<?[=!]|\\[1-9k]/.test(regex)) return false
  try {
    new RegExp(regex)
    return true
  } catch {
    return false
  }
}

export function heartbeatRefused(errorCode: number): ConsumerGroupHeartbeatAnswer {
  return {
    ...{ throttleTimeMs: 0, errorCode, errorMessage: brokerCodeName(errorCode) },
    ...{ memberId: null, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null },
  }
}
