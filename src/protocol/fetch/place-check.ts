import { brokerCode, brokerCodeName } from '../../connection/broker-error.js'
import type { EpochEnd } from '../../connection/requests/offset-for-leader-epoch.js'
import type { OffsetRange } from '../../offsets/offset-range.js'
import type { Runtime } from '../../runtime/runtime.js'
import type { Cluster } from '../cluster/cluster.js'
import { judgeFetchCode } from './codes.js'
import type { FetchCursor } from './fetch-cursor.js'

/**
 * What became of the log around a reader's place:
 * - `outside`: the broker has no such offset.
 * - `cut`: the records from `from` up to `to` are gone, others may stand there now; `null`: nobody knows from where on.
 * - `another-log`: the topic was made anew; nothing of the former log is left.
 */
export type Loss =
  | { readonly kind: 'outside' }
  | { readonly kind: 'cut'; readonly from: number | null; readonly to: number }
  | { readonly kind: 'another-log' }

export type Cut = Extract<Loss, { readonly kind: 'cut' }>

type PlaceVerdict = 'good' | 'unchecked' | 'another-log'

/**
 * May a place be read from? Told from what metadata say now:
 *
 * | topic id        | leader epoch                                            | verdict |
 * |-----------------|---------------------------------------------------------|---------|
 * | another         | any                                                     | another log |
 * | same or unknown | checked already, or of the last record that is known    | good |
 * | same or unknown | another, but that of the last record is not known       | good: there is nothing to ask with |
 * | same or unknown | another, and that of the last record is known           | unchecked: the leader is asked where that epoch ends |
 *
 * The last record is the last one that was read, or that a commit names as completed.
 *
 * A fetch names the epoch that was checked, and the topic by its id, so a broker refuses it when either has changed.
 */
export function judgePlace(cursor: FetchCursor, cluster: Cluster): PlaceVerdict {
  const { topic, partition } = cursor.assigned
  if (isInAnotherLog(cursor, cluster)) return 'another-log'
  cursor.topicId ??= cluster.topic(topic)?.topicId ?? null
  const leaderEpoch = cluster.partition(topic, partition)?.leaderEpoch ?? -1
  if (leaderEpoch === cursor.checkedEpoch) return 'good'
  if (leaderEpoch >= 0 && cursor.lastEpoch >= 0 && cursor.lastEpoch !== leaderEpoch) return 'unchecked'
  cursor.checkedEpoch = leaderEpoch
  return 'good'
}

/** Have brokers named another topic of that name since the place was found? */
export function isInAnotherLog({ assigned, topicId }: FetchCursor, cluster: Cluster): boolean {
  const now = cluster.topic(assigned.topic)?.topicId ?? null
  return topicId !== null && now !== null && topicId !== now
}

interface PlaceCheckParts {
  readonly cluster: Cluster
  readonly runtime: Runtime
  readonly requestTimeoutMs: number
  readonly signal: AbortSignal
}

/** `null`: the place is good under the leader that was asked. */
export type PlaceAnswer =
  { readonly kind: 'told'; readonly loss: Loss | null } | { readonly kind: 'not-yet'; readonly reason: string }

/**
 * Asks the leader once where the epoch of the last record ends, and, where later epochs that it does not know seem to be
 * gone, what stands in their place. Rejects as the connection does.
 */
export async function askForPlace(cursor: FetchCursor, node: number, parts: PlaceCheckParts): Promise<PlaceAnswer> {
  const { cluster, runtime, requestTimeoutMs, signal } = parts
  const { topic, partition } = cursor.assigned
  const { lastEpoch } = cursor
  const currentLeaderEpoch = cluster.partition(topic, partition)?.leaderEpoch ?? -1
  const request = {
    api: 'offsetForLeaderEpoch',
    partitions: [{ topic, partition, currentLeaderEpoch, leaderEpoch: lastEpoch }],
  } as const
  const deadline = runtime.clock.now() + requestTimeoutMs
  const answer = await cluster.connection.request(node, 'main', request, deadline, signal)
  const end = answer.partitions.find((each) => each.topic === topic && each.partition === partition)
  if (end === undefined) return { kind: 'not-yet', reason: 'no answer' }
  if (end.errorCode !== brokerCode.NONE) return { kind: 'not-yet', reason: brokerCodeName(end.errorCode) }
  const loss = cutOf(end, cursor)
  const from = loss?.from ?? Infinity
  const isReplaced = loss !== null && from < end.endOffset
  const standing = isReplaced ? await askWhatStands(cursor, node, { from, to: loss.to }, parts) : 'others'
  if (standing === 'not-told') return { kind: 'not-yet', reason: 'it is not told yet what stands there' }
  cursor.checkedEpoch = currentLeaderEpoch
  return { kind: 'told', loss: standing === 'nothing' ? null : loss }
}

/**
 * What stands where records were read of a leader that the present one does not know: the records of another one, or
 * `nothing`. Compaction may have taken all that a leader wrote, and a replica that copied the rest never heard of it.
 */
async function askWhatStands(
  { assigned: { topic, partition }, topicId }: FetchCursor,
  node: number,
  { from, to }: OffsetRange,
  { cluster, runtime, requestTimeoutMs, signal }: PlaceCheckParts,
): Promise<'others' | 'nothing' | 'not-told'> {
  const currentLeaderEpoch = cluster.partition(topic, partition)?.leaderEpoch ?? -1
  const asked = { topic, topicId, partition, currentLeaderEpoch, fetchOffset: from, partitionMaxBytes: 1 }
  const limits = { maxWaitMs: 1, minBytes: 1, maxBytes: 1, isolation: 'read-uncommitted' } as const
  const request = { api: 'fetch', ...limits, partitions: [asked] } as const
  const deadline = runtime.clock.now() + requestTimeoutMs
  const { partitions } = await cluster.connection.request(node, 'main', request, deadline, signal)
  const told = partitions.find((each) => each.topic === topic && each.partition === partition)
  if (told === undefined) return 'not-told'
  if (told.errorCode !== brokerCode.NONE) {
    // Told of a log that begins later, or that may not be read: nothing speaks against other records.
    return judgeFetchCode(told.errorCode) === 'look-up-again' ? 'not-told' : 'others'
  }
  const [first] = told.batches
  if (first !== undefined) return first.baseOffset < to ? 'others' : 'nothing'
  if (told.unreadable !== null) return 'others'
  // A new leader shows the end of its log only when its followers have it.
  return told.highWatermark < to ? 'not-told' : 'nothing'
}

/**
 * | the leader answers                     | what is known of later epochs | then the log                            |
 * |----------------------------------------|-------------------------------|-----------------------------------------|
 * | it knows no such epoch and none before | any                           | is cut, nobody knows from where on      |
 * | an end before that of what is known    | begins at or after the end    | is cut from the end on                  |
 * | any end                                | begins before the end         | is cut from that beginning on, when other records stand there, of a former leader that came back |
 * | an end at or after that                | nothing                       | is good                                 |
 */
function cutOf({ leaderEpoch, endOffset }: EpochEnd, { knownEnd: to, epochs }: FetchCursor): Cut | null {
  if (endOffset < 0) return { kind: 'cut', from: null, to }
  const from = Math.min(endOffset, epochs.firstAfter(leaderEpoch) ?? endOffset)
  return from < to ? { kind: 'cut', from, to } : null
}
