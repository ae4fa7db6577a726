import { brokerCode } from '../../../connection/broker-error.js'
import {
  memberEpochs,
  type ConsumerGroupHeartbeatAnswer,
  type ConsumerGroupHeartbeatRequest,
} from '../../../connection/requests/consumer-groups.js'
import type {
  FindCoordinatorAnswer,
  FindCoordinatorRequest,
  HeartbeatAnswer,
  HeartbeatRequest,
  JoinGroupRequest,
  LeaveGroupAnswer,
  LeaveGroupRequest,
  SyncGroupRequest,
} from '../../../connection/requests/groups.js'
import type {
  CommittedPartition,
  PartitionToCommit,
  OffsetCommitAnswer,
  OffsetCommitRequest,
  OffsetFetchAnswer,
  OffsetFetchRequest,
} from '../../../connection/requests/offsets.js'
import type { TxnOffsetCommitAnswer, TxnOffsetCommitRequest } from '../../../connection/requests/transactions.js'
import type { OffsetDeleteAnswer } from '../../../connection/requests/group-admin.js'
import { StateError } from '../../../errors.js'
import type { TopicPartition } from '../../../message/topic-partition.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import { CoordinatorPlaces } from '../cluster/coordinator-places.js'
import { joinRefused, syncRefused } from './classic/answers.js'
import { ClassicGroup } from './classic/classic-group.js'
import type { JoinReply, SyncReply } from './classic/member.js'
import type { GroupState } from './classic/rebalance.js'
import { ConsumerGroup, heartbeatRefused, requestProblem, type ConsumerGroupState } from './consumer/consumer-group.js'
import { describeGroup, isRead, type GroupTold, type TopicNames } from './group-description.js'
import { GroupOffsets } from './group-offsets.js'

/** What a cluster inside the process knows of a group. */
export interface GroupFacts {
  /** Whose members divide the partitions: one of themselves, or the coordinator. */
  readonly type: 'classic' | 'consumer'
  readonly state: GroupState | ConsumerGroupState
  readonly generationId: number
  readonly protocolName: string
  readonly leaderId: string | null
  readonly coordinator: number
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly assignment: readonly { readonly topic: string; readonly partition: number }[]
  }[]
}

interface GroupRecord {
  group: ClassicGroup | ConsumerGroup
  readonly offsets: GroupOffsets
}

/** Every group with its offsets, and which broker coordinates it. */
export class GroupCoordinators {
  readonly #groups = new Map<string, GroupRecord>()
  readonly #places: CoordinatorPlaces

  constructor(private readonly cluster: ClusterState) {
    this.#places = new CoordinatorPlaces(cluster)
  }

  find({ key }: FindCoordinatorRequest): FindCoordinatorAnswer {
    const refuse = (errorCode: number) => ({ throttleTimeMs: 0, errorCode, nodeId: -1, host: '', port: -1 })
    if (key === '') return refuse(brokerCode.INVALID_GROUP_ID)
    // A group that nobody asked for yet is given away only now when its broker is down.
    if (this.#places.addressOf(key) === undefined) this.move(key)
    const address = this.#places.addressOf(key)
    if (address === undefined) return refuse(brokerCode.COORDINATOR_NOT_AVAILABLE)
    const { nodeId, host, port } = address
    return { throttleTimeMs: 0, errorCode: brokerCode.NONE, nodeId, host, port }
  }

  join(node: number, request: JoinGroupRequest, clientId: string, reply: JoinReply): void {
    const { groupId, memberId, sessionTimeoutMs } = request
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.cluster.settings
    const problem = this.problemAt(node, groupId)
    if (problem !== brokerCode.NONE) reply(joinRefused(memberId, problem))
    else if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      reply(joinRefused(memberId, brokerCode.INVALID_SESSION_TIMEOUT))
    } else if (memberId !== '' && !this.#groups.has(groupId)) {
      reply(joinRefused(memberId, brokerCode.UNKNOWN_MEMBER_ID))
    } else {
      const group = this.#classicToJoin(groupId)
      if (group === null) reply(joinRefused(memberId, brokerCode.INCONSISTENT_GROUP_PROTOCOL))
      else group.join(request, clientId, reply)
    }
  }

  sync(node: number, request: SyncGroupRequest, reply: SyncReply): void {
    const problem = this.problemAt(node, request.groupId)
    const group = this.#classic(request.groupId)
    if (problem !== brokerCode.NONE) reply(syncRefused(problem))
    else if (group === undefined) reply(syncRefused(brokerCode.UNKNOWN_MEMBER_ID))
    else group.sync(request, reply)
  }

  heartbeat(node: number, request: HeartbeatRequest): HeartbeatAnswer {
    const errorCode =
      this.problemAt(node, request.groupId) ||
      (this.#classic(request.groupId)?.heartbeat(request) ?? brokerCode.UNKNOWN_MEMBER_ID)
    return { throttleTimeMs: 0, errorCode }
  }

  heartbeatOfConsumer(
    node: number,
    request: ConsumerGroupHeartbeatRequest,
    clientId: string,
  ): ConsumerGroupHeartbeatAnswer {
    if (this.cluster.groupVersion === 0) return heartbeatRefused(brokerCode.UNSUPPORTED_VERSION)
    const problem = this.problemAt(node, request.groupId) || requestProblem(request)
    if (problem !== brokerCode.NONE) return heartbeatRefused(problem)
    const { groupId, memberEpoch } = request
    const group =
      memberEpoch === memberEpochs.joins ? this.#consumerToJoin(groupId) : (this.#groups.get(groupId)?.group ?? null)
    if (!(group instanceof ConsumerGroup)) return heartbeatRefused(brokerCode.GROUP_ID_NOT_FOUND)
    return group.heartbeat(request, clientId)
  }

  leave(node: number, request: LeaveGroupRequest): LeaveGroupAnswer {
    const errorCode =
      this.problemAt(node, request.groupId) ||
      (this.#classic(request.groupId)?.leave(request) ?? brokerCode.UNKNOWN_MEMBER_ID)
    return { throttleTimeMs: 0, errorCode }
  }

  commit(node: number, request: OffsetCommitRequest): OffsetCommitAnswer {
    const refused = this.problemAt(node, request.groupId) || this.#allowCommit(request)
    return {
      throttleTimeMs: 0,
      partitions: request.partitions.map((partition) => ({
        topic: partition.topic,
        partition: partition.partition,
        errorCode: refused || this.#commitOne(request.groupId, partition),
      })),
    }
  }

  /** What a transaction commits: it counts when the transaction is committed. The transaction's coordinator was asked. */
  commitInTransaction(node: number, request: TxnOffsetCommitRequest): TxnOffsetCommitAnswer {
    const refused = this.problemAt(node, request.groupId) || this.#allowInTransaction(request)
    return {
      throttleTimeMs: 0,
      partitions: request.partitions.map((partition) => ({
        topic: partition.topic,
        partition: partition.partition,
        errorCode: refused || this.#holdOne(request, partition),
      })),
    }
  }

  /** A transaction ended: what it committed for this group counts, or is gone. False while the coordinator is down. */
  endTransaction(groupId: string, producerId: number, outcome: 'commit' | 'abort'): boolean {
    if (!this.cluster.isUp(this.coordinatorOf(groupId))) return false
    this.#groups.get(groupId)?.offsets.end(producerId, outcome)
    return true
  }

  fetchOffsets(node: number, request: OffsetFetchRequest): OffsetFetchAnswer {
    const errorCode = this.problemAt(node, request.groupId)
    if (errorCode !== brokerCode.NONE) return { throttleTimeMs: 0, errorCode, partitions: [] }
    const offsets = this.#groups.get(request.groupId)?.offsets ?? new GroupOffsets()
    const found = request.partitions?.map((partition) => offsets.of(partition)) ?? offsets.all()
    return {
      throttleTimeMs: 0,
      errorCode,
      partitions: found.map((committed) =>
        request.requireStable && offsets.isUnstable(committed)
          ? { ...committed, offset: -1, metadata: '', errorCode: brokerCode.UNSTABLE_OFFSET_COMMIT }
          : { ...committed, errorCode: brokerCode.NONE },
      ),
    }
  }

  /** The broker that coordinates `groupId`, whether it is up or not. */
  coordinatorOf(groupId: string): number {
    return this.#places.of(groupId)
  }

  /** Gives a group to another broker: to `node`, else to the next that is up. */
  move(groupId: string, node?: number): void {
    if (!this.#places.move(groupId, node)) return
    const record = this.#groups.get(groupId)
    if (record === undefined) return
    if (record.group instanceof ConsumerGroup) {
      record.group = new ConsumerGroup(this.cluster, groupId, record.group.unload())
      return
    }
    const snapshot = record.group.unload()
    record.group = this.#newGroup(groupId)
    record.group.load(snapshot)
  }

  /** Groups that a dead broker coordinated go to others. */
  leaveBroker(node: number): void {
    for (const groupId of this.#groups.keys()) if (this.coordinatorOf(groupId) === node) this.move(groupId)
  }

  forgetTopic(topic: string): void {
    for (const record of this.#groups.values()) record.offsets.forgetTopic(topic)
  }

  committed(groupId: string): readonly CommittedPartition[] {
    return this.#groups.get(groupId)?.offsets.all() ?? []
  }

  /** Whoever is a member: as a tool writes that copies commits. */
  restore(groupId: string, commit: CommittedPartition): void {
    this.#recordOf(groupId).offsets.store(commit)
  }

  facts(groupId: string): GroupFacts | undefined {
    const group = this.#groups.get(groupId)?.group
    if (group === undefined) return undefined
    const { type, members } = describeGroup(group, this.#topicNames())
    const isClassic = group instanceof ClassicGroup
    return {
      type,
      state: group.state,
      generationId: group.generationId,
      protocolName: isClassic ? group.protocolName : group.assignorName,
      leaderId: isClassic ? group.leaderId : null,
      coordinator: this.coordinatorOf(groupId),
      members: members.map(({ memberId, groupInstanceId, partitions }) => ({
        ...{ memberId, groupInstanceId },
        assignment: partitions,
      })),
    }
  }

  /** `undefined` of a group that nobody has joined or committed to. */
  describe(groupId: string): GroupTold | undefined {
    const group = this.#groups.get(groupId)?.group
    return group === undefined ? undefined : describeGroup(group, this.#topicNames())
  }

  /** With all it has committed; not while it has members. @returns the code of the answer */
  remove(groupId: string): number {
    const record = this.#groups.get(groupId)
    if (record === undefined) return brokerCode.GROUP_ID_NOT_FOUND
    if (record.group.members.length > 0) return brokerCode.NON_EMPTY_GROUP
    record.group.unload()
    this.#groups.delete(groupId)
    return brokerCode.NONE
  }

  /** What a member reads keeps its commits. */
  removeOffsets(groupId: string, partitions: readonly TopicPartition[]): Omit<OffsetDeleteAnswer, 'throttleTimeMs'> {
    const record = this.#groups.get(groupId)
    const told = this.describe(groupId)
    if (record === undefined || told === undefined) return { errorCode: brokerCode.GROUP_ID_NOT_FOUND, partitions: [] }
    const removeOne = ({ topic, partition }: TopicPartition) => {
      if (isRead(told, topic)) return { topic, partition, errorCode: brokerCode.GROUP_SUBSCRIBED_TO_TOPIC }
      record.offsets.forget({ topic, partition })
      return { topic, partition, errorCode: brokerCode.NONE }
    }
    return { errorCode: brokerCode.NONE, partitions: partitions.map(removeOne) }
  }

  groupIds(): readonly string[] {
    return [...this.#groups.keys()]
  }

  kick(groupId: string, memberId: string): void {
    const record = this.#groups.get(groupId)
    if (record === undefined) throw new StateError('unknown-group', `there is no group ${groupId}`)
    record.group.kick(memberId)
  }

  /** Cancels every timer. Nothing works afterwards. */
  close(): void {
    for (const record of this.#groups.values()) record.group.unload()
    this.#groups.clear()
  }

  /** Why the broker `node` does not answer for the group. */
  problemAt(node: number, groupId: string): number {
    if (groupId === '') return brokerCode.INVALID_GROUP_ID
    if (this.coordinatorOf(groupId) === node) return brokerCode.NONE
    return brokerCode.NOT_COORDINATOR
  }

  #topicNames(): TopicNames {
    return new Map([...this.cluster.topics.values()].map(({ topicId, name }) => [topicId, name]))
  }

  #classic(groupId: string): ClassicGroup | undefined {
    const group = this.#groups.get(groupId)?.group
    return group instanceof ClassicGroup ? group : undefined
  }

  /** A group without members becomes what its first member wants. */
  #classicToJoin(groupId: string): ClassicGroup | null {
    const record = this.#recordOf(groupId)
    if (record.group instanceof ConsumerGroup) {
      if (record.group.state !== 'Empty') return null
      record.group.unload()
      record.group = this.#newGroup(groupId)
    }
    return record.group
  }

  #consumerToJoin(groupId: string): ConsumerGroup | null {
    const record = this.#recordOf(groupId)
    if (record.group instanceof ClassicGroup) {
      if (record.group.state !== 'Empty') return null
      record.group.unload()
      record.group = new ConsumerGroup(this.cluster, groupId, null)
    }
    return record.group
  }

  #allowCommit(request: OffsetCommitRequest): number {
    const record = this.#groups.get(request.groupId)
    if (record !== undefined) return record.group.allowCommit(request)
    return request.generationId < 0 ? brokerCode.NONE : brokerCode.ILLEGAL_GENERATION
  }

  /** Without a member id and generation nobody is fenced. */
  #allowInTransaction(request: TxnOffsetCommitRequest): number {
    const record = this.#groups.get(request.groupId)
    if (record !== undefined) return record.group.allowInTransaction(request)
    return request.generationId < 0 ? brokerCode.NONE : brokerCode.ILLEGAL_GENERATION
  }

  #commitOne(groupId: string, partition: PartitionToCommit): number {
    const { topicId } = partition
    if (topicId !== null && this.cluster.topics.get(partition.topic)?.topicId !== topicId) {
      return brokerCode.UNKNOWN_TOPIC_ID
    }
    const problem = this.#problemOf(partition)
    if (problem === brokerCode.NONE) this.#recordOf(groupId).offsets.store(partition)
    return problem
  }

  #holdOne({ groupId, producerId }: TxnOffsetCommitRequest, partition: CommittedPartition): number {
    const problem = this.#problemOf(partition)
    if (problem === brokerCode.NONE) this.#recordOf(groupId).offsets.hold(producerId, partition)
    return problem
  }

  #problemOf({ topic, partition, metadata }: CommittedPartition): number {
    if (this.cluster.partition(topic, partition) === undefined) return brokerCode.UNKNOWN_TOPIC_OR_PARTITION
    if ((metadata?.length ?? 0) > this.cluster.settings.offsetMetadataMaxBytes) {
      return brokerCode.OFFSET_METADATA_TOO_LARGE
    }
    return brokerCode.NONE
  }

  #recordOf(groupId: string): GroupRecord {
    let record = this.#groups.get(groupId)
    if (record === undefined) {
      record = { group: this.#newGroup(groupId), offsets: new GroupOffsets() }
      this.#groups.set(groupId, record)
    }
    return record
  }

  #newGroup(groupId: string): ClassicGroup {
    return new ClassicGroup(groupId, this.cluster.runtime, this.cluster.settings)
  }
}
