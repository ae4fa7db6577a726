import { brokerCode, brokerCodeName } from '../connection/broker-error.js'
import type { GroupMemberIdentity, OffsetCommitAnswer } from '../connection/requests.js'
import type { CommitOutcome, ConsumerSettings, OffsetToCommit } from '../driver/consumer.js'
import { partitionKey, type TopicPartition } from '../message/topic-partition.js'
import type { Runtime } from '../runtime/runtime.js'
import type { Cluster } from './cluster.js'

interface CommitGround {
  /** Is this still the assignment that the offset was read under? */
  isCurrent(at: TopicPartition, epoch: number): boolean
  /** Who we are in the group; `null` = no member. */
  identity(): GroupMemberIdentity | null
  /** The group refused the commit of this generation: membership is over or a rebalance is under way. */
  refused(code: number, generationId: number): void
}

type CommitSettings = Pick<ConsumerSettings, 'requestTimeoutMs' | 'logger' | 'groupId'>

const membershipCodes: readonly number[] = [
  brokerCode.UNKNOWN_MEMBER_ID,
  brokerCode.ILLEGAL_GENERATION,
  brokerCode.FENCED_INSTANCE_ID,
  brokerCode.REBALANCE_IN_PROGRESS,
]

const coordinatorCodes: readonly number[] = [brokerCode.NOT_COORDINATOR, brokerCode.COORDINATOR_NOT_AVAILABLE]

/**
 * Commits one after the other, each with one attempt: what got no answer is `pending`, and its owner decides whether it
 * still wants to commit that. A missing permission is logged and `pending` too: nothing is lost by it but repeats.
 */
export class OffsetCommitter {
  readonly #cluster: Cluster
  readonly #runtime: Runtime
  readonly #settings: CommitSettings
  readonly #ground: CommitGround
  #last: Promise<unknown> = Promise.resolve()

  constructor(cluster: Cluster, runtime: Runtime, settings: CommitSettings, ground: CommitGround) {
    this.#cluster = cluster
    this.#runtime = runtime
    this.#settings = settings
    this.#ground = ground
  }

  /** One outcome for each offset, in order. Never rejects. */
  async commit(offsets: readonly OffsetToCommit[], deadline: number): Promise<readonly CommitOutcome[]> {
    const turn = this.#last.then(async () => this.#commitNow(offsets, deadline))
    const passOn = () => undefined
    this.#last = turn.then(passOn, passOn)
    return turn
  }

  async #commitNow(offsets: readonly OffsetToCommit[], deadline: number): Promise<readonly CommitOutcome[]> {
    const identity = this.#ground.identity()
    const isCurrent = (offset: OffsetToCommit) => identity !== null && this.#ground.isCurrent(offset, offset.epoch)
    const current = new Set(offsets.filter(isCurrent))
    if (current.size === 0 || identity === null) return offsets.map(() => 'lost')
    const codes = await this.#send(identity, [...current], deadline)
    return offsets.map((offset) => {
      if (!current.has(offset)) return 'lost'
      return this.#outcome(offset, codes?.get(partitionKey(offset.topic, offset.partition)), identity)
    })
  }

  /** Error codes by partition; `null` without an answer. */
  async #send(
    identity: GroupMemberIdentity,
    offsets: readonly OffsetToCommit[],
    deadline: number,
  ): Promise<ReadonlyMap<string, number> | null> {
    const attemptDeadline = Math.min(deadline, this.#runtime.clock.now() + this.#settings.requestTimeoutMs)
    const partitions = offsets.map(({ topic, partition, nextOffset, metadata }) => {
      return { topic, partition, offset: nextOffset, leaderEpoch: -1, metadata }
    })
    let answer: OffsetCommitAnswer
    try {
      const node = await this.#cluster.coordinator(identity.groupId, 'group', attemptDeadline)
      const request = { api: 'offsetCommit', ...identity, partitions } as const
      answer = await this.#cluster.connection.request(node, 'group', request, attemptDeadline)
    } catch (failure) {
      this.#cluster.forgetCoordinator(identity.groupId, 'group')
      this.#settings.logger.debug({ group: identity.groupId, error: String(failure) }, 'commit got no answer')
      return null
    }
    if (answer.partitions.some(({ errorCode }) => coordinatorCodes.includes(errorCode))) {
      this.#cluster.forgetCoordinator(identity.groupId, 'group')
    }
    const refusal = answer.partitions.find(({ errorCode }) => membershipCodes.includes(errorCode))
    if (refusal) this.#ground.refused(refusal.errorCode, identity.generationId)
    return new Map(answer.partitions.map((entry) => [partitionKey(entry.topic, entry.partition), entry.errorCode]))
  }

  #outcome(
    { topic, partition }: OffsetToCommit,
    code: number | undefined,
    { groupId }: GroupMemberIdentity,
  ): CommitOutcome {
    switch (code) {
      case brokerCode.NONE:
        return 'committed'
      case brokerCode.UNKNOWN_MEMBER_ID:
      case brokerCode.ILLEGAL_GENERATION:
      case brokerCode.FENCED_INSTANCE_ID:
        return 'lost'
      case brokerCode.OFFSET_METADATA_TOO_LARGE:
      case brokerCode.INVALID_COMMIT_OFFSET_SIZE:
        return 'metadata-too-large'
      case brokerCode.TOPIC_AUTHORIZATION_FAILED:
      case brokerCode.GROUP_AUTHORIZATION_FAILED:
        this.#settings.logger.error(
          { group: groupId, topic, partition, code: brokerCodeName(code) },
          'committing is not authorised; grant READ on the group and its topics',
        )
        return 'pending'
      default:
        return 'pending'
    }
  }
}
