import { brokerCode, brokerCodeName, brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { CommittedPartition } from '../../connection/requests/offsets.js'
import type { DriverError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import type { CoordinatorLine } from '../cluster/coordinator-line.js'
import { judgeOffsetFetchCode } from './codes.js'

/** What is known about a group's commit of one partition after one question. */
export type CommitFinding =
  | { readonly kind: 'committed'; readonly committed: CommittedPartition }
  | { readonly kind: 'nothing' }
  /** The coordinator is moving or loading, or a transaction with offsets of the partition is open: then it is `held`. */
  | { readonly kind: 'not-yet'; readonly reason: string; readonly held: boolean }
  | { readonly kind: 'refused'; readonly error: DriverError }

/** What one question told: of each partition, or of all of them at once. */
export interface CommitFindings {
  readonly all: CommitFinding | null
  readonly each: ReadonlyMap<string, CommitFinding>
}

/**
 * Asks the coordinator once; `null` asks for all the group has committed. `all` is one finding for the whole question,
 * set when nothing is known about single partitions.
 */
export async function fetchCommitted(
  line: CoordinatorLine,
  partitions: readonly TopicPartition[] | null,
  deadline: number,
  signal?: AbortSignal,
  requireStable = true,
): Promise<CommitFindings> {
  const groupId = line.key
  const whole = (all: CommitFinding) => ({ all, each: new Map<string, CommitFinding>() })
  try {
    const request = { api: 'offsetFetch', groupId, partitions, requireStable } as const
    const answer = await line.ask(request, line.attemptUntil(deadline), signal)
    const judge = (code: number) => {
      const verdict = judgeOffsetFetchCode(code)
      if (verdict === 'coordinator-moved') line.lost()
      return verdict
    }
    if (judge(answer.errorCode) !== 'told') return whole(findingOf(answer.errorCode, groupId, {}))
    const each = new Map<string, CommitFinding>()
    for (const entry of answer.partitions) {
      const { topic, partition, offset, leaderEpoch, metadata } = entry
      const finding: CommitFinding =
        judge(entry.errorCode) !== 'told'
          ? findingOf(entry.errorCode, groupId, entry)
          : offset < 0
            ? { kind: 'nothing' }
            : { kind: 'committed', committed: { topic, partition, offset, leaderEpoch, metadata } }
      each.set(partitionKey(topic, partition), finding)
    }
    return { all: null, each }
  } catch (failure) {
    return whole(findingOfFailure(failure))
  }
}

function findingOf(code: number, groupId: string, at: Partial<TopicPartition>): CommitFinding {
  if (judgeOffsetFetchCode(code) !== 'refused') {
    return { kind: 'not-yet', reason: brokerCodeName(code), held: code === brokerCode.UNSTABLE_OFFSET_COMMIT }
  }
  const place = at.topic === undefined ? '' : ` for ${at.topic}-${at.partition}`
  const error = brokerError(code, `reading the commits of group "${groupId}"${place}`, {
    topic: at.topic,
    partition: at.partition,
    fix: 'grant READ on the group and its topics',
  })
  return { kind: 'refused', error }
}

function findingOfFailure(failure: unknown): CommitFinding {
  if (failure instanceof RequestError) {
    if (failure.isFinal) return { kind: 'refused', error: failure }
    return { kind: 'not-yet', reason: failure.message, held: false }
  }
  const isBrokerRefusal = failure instanceof Error && 'brokerCode' in failure && failure.brokerCode !== undefined
  if (isBrokerRefusal) return { kind: 'refused', error: failure as DriverError }
  return { kind: 'not-yet', reason: String(failure), held: false }
}

/**
 * The same, where a transaction that is open is not waited for: what was committed before it counts. The question for stable
 * offsets comes first, since a coordinator answers that one with all it has promised. Asked for the others it answers with
 * what it knows to be replicated, and one that took over a moment ago may not know that of the last commits yet: it would
 * tell an older offset, or none (seen on Kafka 4.2, half a second long).
 */
export async function fetchCommittedNow(
  line: CoordinatorLine,
  partitions: readonly TopicPartition[] | null,
  deadline: number,
): Promise<CommitFindings> {
  const stable = await fetchCommitted(line, partitions, deadline)
  const isHeld = [...stable.each.values()].some((finding) => finding.kind === 'not-yet' && finding.held)
  return isHeld ? fetchCommitted(line, partitions, deadline, undefined, false) : stable
}
