import { brokerCode, brokerCodeName, brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { IsolationLevel } from '../../connection/requests/fetch.js'
import type { ListOffsetsRequest } from '../../connection/requests/list-offsets.js'
import type { StartPosition } from '../../driver/consumer.js'
import type { DriverError } from '../../errors.js'
import { partitionKey, type TopicPartition } from '../../message/topic-partition.js'
import { byLeader } from '../cluster/by-leader.js'
import type { ClientContext } from '../cluster/client-context.js'
import { judgeListOffsetsCode } from './codes.js'

export const earliest = -2
export const latest = -1

/** What is known about one offset after one round of questions. */
export type OffsetFinding =
  | { readonly kind: 'found'; readonly offset: number; readonly leaderEpoch: number }
  /** No leader, or it did not answer well: ask again later. */
  | { readonly kind: 'not-yet'; readonly reason: string }
  | { readonly kind: 'refused'; readonly error: DriverError }

interface OffsetQuestion extends TopicPartition {
  /** -2 earliest, -1 latest, else the first offset at or after that time. */
  readonly timestamp: number
}

type LookUpContext = ClientContext<{ readonly isolation: IsolationLevel; readonly requestTimeoutMs: number }>

export function timestampOf(position: StartPosition): number {
  if (position === 'earliest') return earliest
  if (position === 'latest') return latest
  return position.timestamp
}

/**
 * One round: each leader is asked once, all at the same time, so a silent one delays the answer by at most the request
 * timeout. A time after the last record finds the end.
 */
export async function lookUpOffsets(
  context: LookUpContext,
  questions: readonly OffsetQuestion[],
  deadline: number,
  signal?: AbortSignal,
): Promise<readonly OffsetFinding[]> {
  const findings = await askLeaders(context, questions, deadline, signal)
  const beyond = questions.flatMap((question, index) => {
    const finding = findings[index]
    const isBeyond = question.timestamp >= 0 && finding?.kind === 'found' && finding.offset < 0
    return isBeyond ? [{ index, question: { ...question, timestamp: latest } }] : []
  })
  if (beyond.length === 0) return findings
  const ends = await askLeaders(
    context,
    beyond.map(({ question }) => question),
    deadline,
    signal,
  )
  const merged = [...findings]
  for (const [position, { index }] of beyond.entries()) merged[index] = ends[position] ?? notYet('no answer')
  return merged
}

async function askLeaders(
  context: LookUpContext,
  questions: readonly OffsetQuestion[],
  deadline: number,
  signal?: AbortSignal,
): Promise<readonly OffsetFinding[]> {
  await learnLeaders(context, questions, deadline)
  const findings = new Map<string, OffsetFinding>()
  const rounds = [...byLeader(context.cluster, questions)].map(([leader, mates]) =>
    leader < 0 ? noLeader(context, mates, findings) : askLeader(context, leader, mates, findings, deadline, signal),
  )
  await Promise.all(rounds)
  return questions.map(({ topic, partition }) => findings.get(partitionKey(topic, partition)) ?? notYet('no answer'))
}

async function learnLeaders(
  { cluster, runtime, settings }: LookUpContext,
  questions: readonly OffsetQuestion[],
  deadline: number,
): Promise<void> {
  const leaderless = questions.filter(({ topic, partition }) => (cluster.partition(topic, partition)?.leader ?? -1) < 0)
  if (leaderless.length === 0) return
  const topics = [...new Set(leaderless.map(({ topic }) => topic))]
  try {
    await cluster.refresh(topics, Math.min(deadline, runtime.clock.now() + settings.requestTimeoutMs))
  } catch (failure) {
    // Their leaders stay unknown, and the caller is told "not yet" for each of them.
    if (!(failure instanceof Error)) throw failure
  }
}

async function noLeader(
  { cluster }: LookUpContext,
  questions: readonly OffsetQuestion[],
  findings: Map<string, OffsetFinding>,
): Promise<void> {
  for (const { topic, partition } of questions) {
    const code = cluster.topic(topic)?.errorCode ?? brokerCode.LEADER_NOT_AVAILABLE
    const reason = brokerCodeName(code === brokerCode.NONE ? brokerCode.LEADER_NOT_AVAILABLE : code)
    findings.set(
      partitionKey(topic, partition),
      judgeListOffsetsCode(code) === 'refused' ? refused(code, { topic, partition }) : notYet(reason),
    )
  }
}

async function askLeader(
  { cluster, runtime, settings: { isolation, requestTimeoutMs } }: LookUpContext,
  leader: number,
  questions: readonly OffsetQuestion[],
  findings: Map<string, OffsetFinding>,
  deadline: number,
  signal?: AbortSignal,
): Promise<void> {
  const request: ListOffsetsRequest = { api: 'listOffsets', isolation, partitions: questions }
  const stale = () => {
    for (const topic of new Set(questions.map((question) => question.topic))) cluster.noteStale(topic)
  }
  try {
    const attemptDeadline = Math.min(deadline, runtime.clock.now() + requestTimeoutMs)
    const answer = await cluster.connection.request(leader, 'main', request, attemptDeadline, signal)
    for (const { topic, partition, errorCode, offset, leaderEpoch } of answer.partitions) {
      const key = partitionKey(topic, partition)
      switch (judgeListOffsetsCode(errorCode)) {
        case 'found':
          findings.set(key, { kind: 'found', offset, leaderEpoch })
          break
        case 'refused':
          findings.set(key, refused(errorCode, { topic, partition }))
          break
        case 'ask-again':
          cluster.noteStale(topic)
          findings.set(key, notYet(brokerCodeName(errorCode)))
      }
    }
  } catch (failure) {
    if (!(failure instanceof RequestError)) throw failure
    if (failure.retriable) stale()
    const finding: OffsetFinding =
      failure.retriable || failure.failure === 'aborted' || failure.failure === 'closed'
        ? notYet(failure.message)
        : { kind: 'refused', error: failure }
    for (const { topic, partition } of questions) findings.set(partitionKey(topic, partition), finding)
  }
}

function notYet(reason: string): OffsetFinding {
  return { kind: 'not-yet', reason }
}

function refused(code: number, { topic, partition }: TopicPartition): OffsetFinding {
  return {
    kind: 'refused',
    error: brokerError(code, `looking up offsets of ${topic}-${partition}`, { topic, partition }),
  }
}
