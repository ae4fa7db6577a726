import { brokerCodeName } from '../../../connection/broker-error.js'
import { RequestError } from '../../../connection/request-error.js'
import type { JoinGroupAnswer, JoinGroupRequest, SyncGroupRequest } from '../../../connection/requests/groups.js'
import { DriverError, TidemarkError } from '../../../errors.js'
import type { TopicPartition } from '../../../message/topic-partition.js'
import { tell } from '../../../telemetry/tell.js'
import { brokerBackoff } from '../../cluster/broker-backoff.js'
import type { ConsumeContext } from '../../cluster/client-context.js'
import type { CoordinatorLine } from '../../cluster/coordinator-line.js'
import { isDenial } from '../../cluster/denials.js'
import { partitionCounts } from '../../cluster/topic-watch.js'
import { Companions } from '../companions.js'
import { fatalGroupError, judgeGroupCode, type GroupVerdict } from '../codes.js'
import type { Assignor, AssignorMember, Claims } from './assignors/assignor.js'
import { assignorByName } from './assignors/by-name.js'
import { MissedMembers } from './missed-members.js'
import { decodeDivision, encodeDivision, tookLeadersPlace } from './division.js'

/** How one step into the group ended. */
export type EntryStep<Value> =
  | { readonly kind: 'done'; readonly value: Value }
  /** At once; the member id may be a new one. `out`: the group went on without us, and what we held may be another's. */
  | { readonly kind: 'again'; readonly memberId: string; readonly as: 'member' | 'out' }
  /** After a pause. */
  | { readonly kind: 'later'; readonly reason: string }
  /** After a pause, unless it has lasted. */
  | { readonly kind: 'denied'; readonly error: TidemarkError }
  | { readonly kind: 'failed'; readonly error: TidemarkError }

/** What the leader watches after the partitions were divided. */
export interface LeaderDuty {
  readonly topics: readonly string[]
  readonly counts: ReadonlyMap<string, number>
}

export interface Joined {
  readonly answer: JoinGroupAnswer
  readonly leads: boolean
  /** What is held stays ours in this generation until its leader says otherwise. */
  readonly isCooperative: boolean
  /** As we asked for them. */
  readonly topics: readonly string[]
}

export interface Synced {
  readonly partitions: readonly TopicPartition[]
  readonly duty: LeaderDuty | null
}

/** The broker holds a JoinGroup until every member came or the rebalance timeout passed; its answer needs time too. */
const graceMs = 5_000

/** The requests that lead into a generation. Keeps no state but the settings, and who was missed. */
export class GroupEntry {
  readonly #context: ConsumeContext
  readonly #line: CoordinatorLine
  readonly #companions: Companions
  readonly #missed: MissedMembers

  constructor(context: ConsumeContext, line: CoordinatorLine) {
    this.#missed = new MissedMembers(context.settings, context.runtime.clock)
    this.#context = context
    this.#companions = new Companions(context.settings.companions)
    this.#line = line
  }

  get groupId(): string {
    return this.#line.key
  }

  /**
   * What one attempt may take: for the coordinator, counts, a join, fresh metadata for the division, and the answer to it;
   * and a drain for a stop that comes meanwhile.
   */
  get longestMs(): number {
    const { rebalanceTimeoutMs, requestTimeoutMs } = this.#context.settings
    return 3 * requestTimeoutMs + 3 * (rebalanceTimeoutMs + graceMs)
  }

  async findCoordinator(signal: AbortSignal): Promise<EntryStep<number>> {
    try {
      return { kind: 'done', value: await this.#line.find(Infinity, signal) }
    } catch (failure) {
      return stepOfFailure(failure)
    }
  }

  async join(memberId: string, claims: Claims, signal: AbortSignal): Promise<EntryStep<Joined>> {
    const { rebalanceTimeoutMs, topics } = this.#context.settings
    const { clock } = this.#context.runtime
    const askedAt = clock.now()
    let answer: JoinGroupAnswer
    try {
      const deadline = askedAt + rebalanceTimeoutMs + graceMs
      answer = await this.#line.askPatiently(this.#joinRequest(memberId, claims), deadline, signal)
    } catch (failure) {
      return stepOfFailure(failure)
    }
    const verdict = judgeGroupCode(answer.errorCode)
    if (verdict === 'ok') {
      const isCooperative = this.#assignorOf(answer.protocolName)?.kind === 'cooperative'
      const leads = answer.leader === answer.memberId
      if (leads) this.#missed.divides(answer.members, clock.now() - askedAt)
      return { kind: 'done', value: { answer, leads, isCooperative, topics } }
    }
    if (verdict === 'member-id-given') return { kind: 'again', memberId: answer.memberId, as: 'member' }
    return this.#stepOf(verdict, answer.errorCode, 'joining', memberId)
  }

  async sync(joined: Joined, signal: AbortSignal): Promise<EntryStep<Synced>> {
    const { answer, leads } = joined
    const { groupInstanceId, rebalanceTimeoutMs } = this.#context.settings
    const { memberId, generationId } = answer
    try {
      const divided = leads ? await this.#divide(answer) : null
      const request: SyncGroupRequest = {
        api: 'syncGroup',
        groupId: this.groupId,
        generationId,
        memberId,
        groupInstanceId,
        assignments: divided?.assignments ?? [],
      }
      const deadline = this.#context.runtime.clock.now() + rebalanceTimeoutMs + graceMs
      const synced = await this.#line.askPatiently(request, deadline, signal)
      const verdict = judgeGroupCode(synced.errorCode)
      if (verdict !== 'ok') return this.#stepOf(verdict, synced.errorCode, 'taking the assignment', memberId)
      const partitions = this.#onlySubscribed(synced.assignment.partitions)
      const duty = divided?.duty ?? this.#inheritedDuty(joined, synced.assignment.userData)
      return { kind: 'done', value: { partitions, duty } }
    } catch (failure) {
      return stepOfFailure(failure)
    }
  }

  /**
   * Tells the group that we go, also when its coordinator has moved. Nobody depends on it: without it the session times out.
   * An answer that was lost is asked for again, and then we are no member already.
   */
  async leave(memberId: string, deadline: number): Promise<void> {
    const { clock, random } = this.#context.runtime
    for (let attempt = 1; ; attempt += 1) {
      const reason = await this.#leaveOnce(memberId, deadline)
      if (reason === null) return tell(this.#context.settings, { kind: 'left', memberId })
      const waitMs = brokerBackoff(attempt, random)
      if (clock.now() + waitMs < deadline) await clock.sleep(waitMs)
      else {
        const fields = { group: this.groupId, reason }
        this.#context.settings.logger.debug(fields, 'the group was not told that we leave; the session will time out')
        return
      }
    }
  }

  /** `null`: it is done. */
  async #leaveOnce(memberId: string, deadline: number): Promise<string | null> {
    const { groupInstanceId } = this.#context.settings
    const request = { api: 'leaveGroup', groupId: this.groupId, memberId, groupInstanceId } as const
    try {
      const { errorCode } = await this.#line.ask(request, deadline)
      const verdict = judgeGroupCode(errorCode)
      if (verdict === 'coordinator-moved') this.#line.lost()
      return verdict === 'ok' || verdict === 'member-gone' ? null : brokerCodeName(errorCode)
    } catch (failure) {
      return String(failure)
    }
  }

  #joinRequest(memberId: string, claims: Claims): JoinGroupRequest {
    const { sessionTimeoutMs, rebalanceTimeoutMs, groupInstanceId, topics } = this.#context.settings
    const protocols = this.#context.settings.assignors.map((name) => {
      const assignor = assignorByName[name]
      return { name: assignor.protocolName, subscription: assignor.subscription(topics, claims) }
    })
    return {
      api: 'joinGroup',
      groupId: this.groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId,
      groupInstanceId,
      protocols,
    }
  }

  #assignorOf(protocolName: string): Assignor | undefined {
    const all = this.#context.settings.assignors.map((name) => assignorByName[name])
    return all.find((assignor) => assignor.protocolName === protocolName)
  }

  async #divide({ members, protocolName }: JoinGroupAnswer) {
    const assignor = this.#assignorOf(protocolName)
    if (assignor === undefined) {
      const offered = this.#context.settings.assignors.join(', ')
      throw new DriverError(
        'unknown-assignor',
        `the group chose the protocol "${protocolName}", but this member offered ${offered}; report this as a defect`,
      )
    }
    const topics = [
      ...new Set([...this.#context.settings.topics, ...members.flatMap(({ subscription }) => subscription.topics)]),
    ]
    await this.#learn(topics)
    const counts = partitionCounts(this.#context.cluster, topics)
    const views: AssignorMember[] = members.map(({ memberId, groupInstanceId, subscription }) => ({
      memberId,
      groupInstanceId,
      topics: subscription.topics,
      userData: subscription.userData,
      owned: { generationId: subscription.generationId ?? -1, partitions: subscription.ownedPartitions },
    }))
    const assignment = assignor.assign(views, this.#companions.withoutThem(counts))
    // A broker makes no group of the new protocol of one whose assignments carry anything, so nobody is told in vain.
    const isInherited = this.#context.settings.groupInstanceId !== null && assignor.kind === 'eager'
    const userData = isInherited ? encodeDivision(counts) : null
    const assignments = [...assignment].map(([memberId, partitions]) => ({
      memberId,
      assignment: { partitions, userData },
    }))
    return { assignments, duty: { topics, counts } }
  }

  /**
   * A leader that came back is the leader still, although it is not told so. Under the cooperative protocol it does not know
   * what its former self divided and divides once more, which stops nobody.
   */
  #inheritedDuty({ answer, isCooperative }: Joined, userData: Buffer | null): LeaderDuty | null {
    const { groupInstanceId, topics } = this.#context.settings
    if (!tookLeadersPlace(answer.leader, answer.memberId, groupInstanceId)) return null
    if (isCooperative) return { topics, counts: new Map() }
    const counts = decodeDivision(userData) ?? partitionCounts(this.#context.cluster, topics)
    return { topics: [...new Set([...topics, ...counts.keys()])], counts }
  }

  /** The members wait for the leader: better a division by what was known before than none. */
  async #learn(topics: readonly string[]): Promise<void> {
    try {
      await this.#context.cluster.refresh(
        topics,
        this.#context.runtime.clock.now() + this.#context.settings.requestTimeoutMs,
      )
    } catch (failure) {
      const fields = { group: this.groupId, error: String(failure) }
      this.#context.settings.logger.warn(fields, 'no fresh metadata for the assignment; the last known is used')
    }
  }

  /** Other clients' leaders may hand out topics that this member never asked for. */
  #onlySubscribed(partitions: readonly TopicPartition[]): readonly TopicPartition[] {
    const foreign = partitions.filter(({ topic }) => !this.#context.settings.topics.includes(topic))
    if (foreign.length === 0) return partitions
    this.#context.settings.logger.warn(
      { group: this.groupId, topics: [...new Set(foreign.map(({ topic }) => topic))] },
      "the group's leader assigned topics that this member did not subscribe to; nobody reads those partitions now",
    )
    return partitions.filter(({ topic }) => this.#context.settings.topics.includes(topic))
  }

  #stepOf(verdict: GroupVerdict, code: number, doing: string, memberId: string): EntryStep<never> {
    switch (verdict) {
      case 'fatal':
        return { kind: 'failed', error: fatalGroupError(code, doing, this.#context.settings) }
      case 'denied':
        return { kind: 'denied', error: fatalGroupError(code, doing, this.#context.settings) }
      case 'member-gone':
        return { kind: 'again', memberId: '', as: 'out' }
      case 'generation-gone':
        return { kind: 'again', memberId, as: 'out' }
      case 'rebalance':
        return { kind: 'again', memberId, as: 'member' }
      case 'coordinator-moved':
        this.#line.lost()
        return { kind: 'later', reason: brokerCodeName(code) }
      default:
        return { kind: 'later', reason: brokerCodeName(code) }
    }
  }
}

function stepOfFailure(failure: unknown): EntryStep<never> {
  if (isDenial(failure)) return { kind: 'denied', error: failure }
  if (failure instanceof TidemarkError && !failure.retriable) {
    const isEnded = failure instanceof RequestError && (failure.failure === 'aborted' || failure.failure === 'closed')
    if (!isEnded) return { kind: 'failed', error: failure }
  }
  return { kind: 'later', reason: failure instanceof Error ? failure.message : String(failure) }
}
