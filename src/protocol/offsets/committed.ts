import { brokerCodeName, brokerError } from '../../connection/broker-error.js'
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
  /** The coordinator is moving or loading, or a transaction with offsets is open. */
  | { readonly kind: 'not-yet'; readonly reason: string }
  | { readonly kind: 'refused'; readonly error: DriverError }

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
): Promise<{ readonly all: CommitFinding | null; readonly each: ReadonlyMap<string, CommitFinding> }> {
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
  if (judgeOffsetFetchCode(code) !== 'refused') return { kind: 'not-yet', reason: brokerCodeName(code) }
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
    return { kind: 'not-yet', reason: failure.message }
  }
  const isBrokerRefusal = failure instanceof Error && 'brokerCode' in failure && failure.brokerCode !== undefined
  if (isBrokerRefusal) return { kind: 'refused', error: failure as DriverError }
  return { kind: 'not-yet', reason: String(failure) }
}
