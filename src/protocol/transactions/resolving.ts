import { brokerCode } from '../../connection/broker-error.js'
import type { FetchRequest } from '../../connection/requests/fetch.js'
import { pause } from '../../runtime/pause.js'
import { brokerBackoff } from '../cluster/broker-backoff.js'
import type { ProducerIdentity } from '../produce/partition-sequence.js'
import type { TransactionVersion } from '../../connection/requests/transactions.js'
import type { TransactionContext } from './coordinator.js'
import type { StoredRecord } from './identity.js'
import type { Description, Ownership } from './ownership.js'

/** How long the outcome of a commit that nobody told is looked for in the log. */
const lookForMs = 120_000

export type Resolved = 'committed' | 'aborted' | 'unknown'

/** A transaction whose commit was asked for, and nobody said what became of it. */
export interface Unresolved {
  readonly owner: ProducerIdentity
  readonly version: TransactionVersion
  /** A record of it; `null` when no broker told where one is. */
  readonly stored: StoredRecord | null
}

/**
 * What the coordinator's view of the id says about our transaction. `later`: it is being ended. Once another one has
 * followed, it says nothing any more.
 *
 * | state             | epoch, version 1                     | epoch, version 2 | our transaction |
 * |-------------------|--------------------------------------|------------------|-----------------|
 * | …Commit           | ours                                 | ours + 1         | committed       |
 * | …Abort            | –                                    | ours + 1         | aborted         |
 * | …Abort            | ours + 1: ours, or that of a rival who came after our commit | | cannot be told  |
 * | Ongoing           | ours                                 | ours             | later           |
 */
export function readDescription(
  description: Description,
  { owner, version }: Unresolved,
): 'committed' | 'aborted' | 'later' | 'cannot-tell' {
  if (description === null || description.producerId !== owner.producerId) return 'cannot-tell'
  const ahead = description.producerEpoch - owner.producerEpoch
  const { state } = description
  if (state === 'Ongoing' || state === 'PrepareEpochFence') return ahead === 0 ? 'later' : 'cannot-tell'
  const endedAt = version === 1 ? 0 : 1
  if (ahead !== endedAt) return 'cannot-tell'
  if (state === 'PrepareCommit' || state === 'CompleteCommit') return 'committed'
  if (version === 2 && (state === 'PrepareAbort' || state === 'CompleteAbort')) return 'aborted'
  return 'cannot-tell'
}

/** Asks the coordinator; where that says nothing any more, looks into the log. Never rejects. */
export async function lookFor(
  context: TransactionContext,
  ownership: Ownership,
  unresolved: Unresolved,
  closed: AbortSignal,
): Promise<Resolved> {
  const { runtime, settings } = context
  const deadline = runtime.clock.now() + lookForMs
  const until = Math.min(deadline, runtime.clock.now() + 3 * settings.requestTimeoutMs)
  const description = await ownership.describe(until).catch(() => null)
  const read = readDescription(description, unresolved)
  if (read === 'committed' || read === 'aborted') return read
  return readLog(context, unresolved, deadline, closed)
}

/**
 * Looks into the log, where the truth is: whether who reads committed records sees the one that we know of. Waits while
 * it is undecided. Never rejects.
 */
async function readLog(
  context: TransactionContext,
  { owner, stored }: Unresolved,
  deadline: number,
  closed: AbortSignal,
): Promise<Resolved> {
  if (stored === null) return 'unknown'
  const { cluster, runtime } = context
  for (let attempt = 1; ; attempt += 1) {
    const seen = await look(context, stored, owner, deadline, closed).catch(() => 'later' as const)
    if (seen !== 'later') return seen
    cluster.noteStale(stored.topic)
    const pauseMs = brokerBackoff(attempt, runtime.random)
    if (closed.aborted || runtime.clock.now() + pauseMs >= deadline) return 'unknown'
    await pause(runtime.clock, pauseMs, closed)
  }
}

async function look(
  { cluster, runtime, settings }: TransactionContext,
  { topic, partition, offset }: StoredRecord,
  { producerId }: ProducerIdentity,
  deadline: number,
  closed: AbortSignal,
): Promise<Resolved | 'later'> {
  const leader = cluster.partition(topic, partition)?.leader ?? -1
  if (leader < 0) return 'later'
  const limits = { partitionMaxBytes: 1, currentLeaderEpoch: -1 }
  const request: FetchRequest = {
    ...{ api: 'fetch', maxWaitMs: 100, minBytes: 1, maxBytes: 1, isolation: 'read-committed' },
    partitions: [{ topic, topicId: null, partition, fetchOffset: offset, ...limits }],
  }
  const until = Math.min(deadline, runtime.clock.now() + settings.requestTimeoutMs)
  const answer = await cluster.connection.request(leader, 'fetch', request, until, closed)
  const [found] = answer.partitions
  if (found !== undefined && endsTheSearch.has(found.errorCode)) return 'unknown'
  if (found === undefined || found.errorCode !== brokerCode.NONE || found.lastStableOffset <= offset) return 'later'
  const aborted = found.abortedTransactions.some((each) => each.producerId === producerId && each.firstOffset <= offset)
  if (aborted) return 'aborted'
  const [first] = found.batches
  return first?.producerId === producerId && first.baseOffset <= offset ? 'committed' : 'unknown'
}

/** The record is gone, or not to be seen by us. */
const endsTheSearch: ReadonlySet<number> = new Set([
  brokerCode.OFFSET_OUT_OF_RANGE,
  brokerCode.UNKNOWN_TOPIC_OR_PARTITION,
  brokerCode.TOPIC_AUTHORIZATION_FAILED,
])
