import { brokerCodeName } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { GroupMemberIdentity } from '../../connection/requests/groups.js'
import type { OffsetCommitAnswer } from '../../connection/requests/offsets.js'
import type { AssignedPartition, CommitOutcome, ConsumerSettings, OffsetToCommit } from '../../driver/consumer.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { tell } from '../../telemetry/tell.js'
import type { ClientContext } from '../cluster/client-context.js'
import { judgeTopicCode } from '../cluster/codes.js'
import type { CoordinatorLine } from '../cluster/coordinator-line.js'
import { judgeOffsetCommitCode } from './codes.js'

interface CommitParts {
  /** `null` where there is no group to commit to. */
  readonly line: CoordinatorLine | null
  /** Is this still the assignment that the offset was read under? */
  assigned(at: TopicPartition, epoch: number): AssignedPartition | undefined
  /** The topic was made anew since: no offset of it may be stored for the new one. */
  isInAnotherLog(partition: AssignedPartition, nextOffset: number): boolean
  /** `null` while brokers do not tell. */
  topicIdOf(partition: AssignedPartition): string | null
  /** Raised by every seek: an offset that was chosen before one is not wanted any more. */
  seeksOf(partition: AssignedPartition): number
  /** Of the last record below `offset` that was read; -1 when unknown. */
  leaderEpochBefore(partition: AssignedPartition, offset: number): number
  /** Who we are in the group; `null` = no member. */
  identity(): GroupMemberIdentity | null
  /** The group refused the commit of this generation: is what we still hold to be committed again, or somebody else's? */
  refused(code: number, generationId: number): 'again' | 'out'
}

type CommitContext = ClientContext<Pick<ConsumerSettings, 'logger' | 'metrics' | 'onEvent'>>

const none: ReadonlyMap<OffsetToCommit, CommitOutcome> = new Map()

/** How long brokers may take to say whether a partition that the coordinator does not know exists. */
const secondOpinionMs = 1_000

/**
 * Commits with one attempt each, in the order of the calls: what was not stored is `pending`, what got no answer is `in-doubt`,
 * and its owner decides whether it still wants to commit that. A missing permission is logged and `pending` too: nothing
 * is lost by it but repeats.
 */
export class OffsetCommitter {
  readonly #context: CommitContext
  readonly #parts: CommitParts
  #forbidden: 'untold' | 'told' = 'untold'

  constructor(context: CommitContext, parts: CommitParts) {
    this.#context = context
    this.#parts = parts
  }

  /** One outcome for each offset, in order. Never rejects. */
  async commit(offsets: readonly OffsetToCommit[], deadline: number): Promise<readonly CommitOutcome[]> {
    const { line } = this.#parts
    if (line === null || !offsets.some((offset) => this.#isOurs(offset))) return offsets.map(() => 'lost')
    const attemptDeadline = line.attemptUntil(deadline)
    const seeks = offsets.map((offset) => this.#seeks(offset))
    let node: number
    try {
      node = await line.find(attemptDeadline)
    } catch (failure) {
      const fields = { group: line.key, error: String(failure) }
      this.#context.settings.logger.debug(fields, 'no coordinator to commit to')
      return offsets.map((offset) => (this.#isOurs(offset) ? 'pending' : 'lost'))
    }
    await this.#lookAgainForDenied(offsets, attemptDeadline)
    // Judged only now: the look-ups take time, and what went away meanwhile must not be sent.
    const identity = this.#parts.identity()
    if (identity === null) return offsets.map(() => 'lost')
    const current = offsets.filter((offset) => this.#isOurs(offset))
    const sought = new Set(offsets.filter((offset, index) => this.#seeks(offset) !== seeks[index]))
    const wanted = current.filter((offset) => !sought.has(offset) && !this.#isOfFormerLog(offset))
    const outcomes = wanted.length === 0 ? none : await this.#send(line, node, identity, wanted, attemptDeadline)
    const unsent = (offset: OffsetToCommit) => (sought.has(offset) ? 'pending' : 'no-partition')
    return offsets.map((offset) => outcomes.get(offset) ?? (current.includes(offset) ? unsent(offset) : 'lost'))
  }

  /** A topic that was denied may be there again, and be another one. */
  async #lookAgainForDenied(offsets: readonly OffsetToCommit[], deadline: number): Promise<void> {
    const isDenied = (topic: string) => judgeTopicCode(this.#context.cluster.topic(topic)?.errorCode ?? 0) === 'denied'
    const denied = [...new Set(offsets.map(({ topic }) => topic))].filter(isDenied)
    if (denied.length === 0) return
    const until = Math.min(deadline, this.#context.runtime.clock.now() + secondOpinionMs)
    await this.#context.cluster.refresh(denied, until).catch(() => undefined) // what is known must do then
  }

  #seeks(offset: OffsetToCommit): number {
    const assigned = this.#parts.assigned(offset, offset.epoch)
    return assigned === undefined ? -1 : this.#parts.seeksOf(assigned)
  }

  #isOfFormerLog(offset: OffsetToCommit): boolean {
    const assigned = this.#parts.assigned(offset, offset.epoch)
    return assigned !== undefined && this.#parts.isInAnotherLog(assigned, offset.nextOffset)
  }

  #isOurs(offset: OffsetToCommit): boolean {
    return this.#parts.identity() !== null && this.#parts.assigned(offset, offset.epoch) !== undefined
  }

  async #send(
    line: CoordinatorLine,
    node: number,
    identity: GroupMemberIdentity,
    offsets: readonly OffsetToCommit[],
    deadline: number,
  ): Promise<ReadonlyMap<OffsetToCommit, CommitOutcome>> {
    const partitions = offsets.map(({ topic, partition, epoch, nextOffset, metadata }) => {
      const assigned = this.#parts.assigned({ topic, partition }, epoch)
      const topicId = assigned === undefined ? null : this.#parts.topicIdOf(assigned)
      const leaderEpoch = assigned === undefined ? -1 : this.#parts.leaderEpochBefore(assigned, nextOffset)
      return { topic, topicId, partition, offset: nextOffset, leaderEpoch, metadata }
    })
    let answer: OffsetCommitAnswer
    try {
      const request = { api: 'offsetCommit', ...identity, partitions } as const
      answer = await line.askAt(node, request, deadline)
    } catch (failure) {
      this.#context.settings.logger.debug({ group: identity.groupId, error: String(failure) }, 'commit got no answer')
      const neverSent = failure instanceof RequestError && failure.sent === 'never'
      return new Map(offsets.map((offset) => [offset, neverSent ? 'pending' : 'in-doubt']))
    }
    const refused = this.#takeNotice(line, answer, identity)
    this.#tellForbidden(answer)
    const codes = new Map(answer.partitions.map((at) => [partitionKey(at.topic, at.partition), at.errorCode]))
    const codeOf = (offset: OffsetToCommit) => codes.get(partitionKey(offset.topic, offset.partition))
    const isUnknown = (code: number | undefined) =>
      code !== undefined && judgeOffsetCommitCode(code) === 'unknown-partition'
    const unknown = offsets.filter((offset) => isUnknown(codeOf(offset)))
    const missing = await this.#missing(unknown, deadline)
    return new Map(
      offsets.map((offset) => {
        const outcome = missing.has(offset) ? 'no-partition' : this.#outcome(codeOf(offset))
        return [offset, outcome === 'lost' && refused === 'again' && this.#isOurs(offset) ? 'pending' : outcome]
      }),
    )
  }

  #takeNotice(
    line: CoordinatorLine,
    answer: OffsetCommitAnswer,
    { generationId }: GroupMemberIdentity,
  ): 'again' | 'out' {
    let refusal: number | null = null
    for (const { errorCode } of answer.partitions) {
      const verdict = judgeOffsetCommitCode(errorCode)
      if (verdict === 'coordinator-moved') line.lost()
      if (verdict === 'not-a-member' || verdict === 'rebalance' || verdict === 'stale-epoch') refusal ??= errorCode
    }
    return refusal === null ? 'again' : this.#parts.refused(refusal, generationId)
  }

  /**
   * Which of these partitions the cluster does not have. The coordinator alone is no witness: just after a topic was made,
   * or after its own restart, it may not know yet what the other brokers know.
   */
  async #missing(unknown: readonly OffsetToCommit[], deadline: number): Promise<ReadonlySet<OffsetToCommit>> {
    if (unknown.length === 0) return new Set()
    try {
      const until = Math.min(deadline, this.#context.runtime.clock.now() + secondOpinionMs)
      await this.#context.cluster.refresh([...new Set(unknown.map(({ topic }) => topic))], until)
    } catch {
      return new Set() // nobody contradicts or confirms: it is asked again with the next attempt
    }
    return new Set(unknown.filter((offset) => this.#isMissing(offset)))
  }

  #isMissing({ topic, partition }: TopicPartition): boolean {
    const told = this.#context.cluster.topic(topic)
    if (told === undefined) return false
    const verdict = judgeTopicCode(told.errorCode)
    return (
      verdict === 'denied' || (verdict === 'known' && this.#context.cluster.partition(topic, partition) === undefined)
    )
  }

  /** Tells once that commits are forbidden, and again after one was allowed. */
  #tellForbidden({ partitions }: OffsetCommitAnswer): void {
    const refused = partitions.filter(({ errorCode }) => judgeOffsetCommitCode(errorCode) === 'forbidden')
    const [first] = refused
    if (first === undefined) {
      if (partitions.some(({ errorCode }) => judgeOffsetCommitCode(errorCode) === 'stored')) this.#forbidden = 'untold'
      return
    }
    if (this.#forbidden === 'told') return
    this.#forbidden = 'told'
    const { topic, partition, errorCode } = first
    const code = brokerCodeName(errorCode)
    tell(this.#context.settings, { kind: 'commit-forbidden', topic, partition, code, partitions: refused.length })
  }

  #outcome(code: number | undefined): CommitOutcome {
    if (code === undefined) return 'in-doubt'
    const verdict = judgeOffsetCommitCode(code)
    switch (verdict) {
      case 'stored':
        return 'committed'
      case 'not-a-member':
        return 'lost'
      case 'metadata-too-large':
      case 'commit-too-large':
        return verdict
      default:
        return 'pending'
    }
  }
}
