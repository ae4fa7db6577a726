import { brokerCode } from '../../../connection/broker-error.js'
import type { FetchAnswer, FetchedPartition, FetchPartition, FetchRequest } from '../../../connection/requests/fetch.js'
import type { Timer } from '../../../runtime/clock.js'
import { setBrokerTimer } from '../cluster/broker-timer.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { FetchSessions } from './fetch-sessions.js'
import { readingProblem } from './leadership.js'
import type { Partition, PartitionWatcher } from '../log/partition.js'
import type { StoredBatch } from '../log/stored-batch.js'

/** Answers a fetch request at the broker `node`: at once when there is enough or something is wrong, else parked. */
export function fetch(
  cluster: ClusterState,
  sessions: FetchSessions,
  node: number,
  asked: FetchRequest,
  tell: (answer: FetchAnswer) => void,
): void {
  const inFull = sessions.inFull(asked)
  if (inFull.kind === 'refused') {
    tell(inFull.answer)
    return
  }
  const { request, shorten } = inFull
  const reply = (answer: FetchAnswer) => tell(shorten(answer))
  const waiting = request.maxWaitMs <= 0 ? null : waitingFor(cluster, node, request)
  if (waiting === null) reply(read(cluster, node, request))
  else new ParkedFetch(cluster, node, request, waiting, reply).park()
}

/** What a fetch waits at, each with what is asked for there and the bytes that it has for it: too few of them together. */
type Waiting = Map<Partition, { readonly asked: FetchPartition; readonly bytes: number }>

/** Of what changes, the change alone is looked at: a fetch may name thousands of partitions, each of which changes. */
class ParkedFetch implements PartitionWatcher {
  #timer: Timer | null = null
  #bytes = 0

  constructor(
    private readonly cluster: ClusterState,
    private readonly node: number,
    private readonly request: FetchRequest,
    private readonly waiting: Waiting,
    private readonly reply: (answer: FetchAnswer) => void,
  ) {}

  park(): void {
    this.#timer = setBrokerTimer(this.cluster.runtime.clock, this.request.maxWaitMs, () => this.#finish())
    for (const [partition, { bytes }] of this.waiting) {
      this.#bytes += bytes
      partition.watch(this)
    }
  }

  partitionChanged(partition: Partition): void {
    const { asked, bytes: before } = this.waiting.get(partition)!
    const bytes = readableBytes(this.cluster, this.node, asked, this.request)
    if (bytes === null) {
      this.#finish()
      return
    }
    this.waiting.set(partition, { asked, bytes })
    this.#bytes += bytes - before
    if (isEnough(this.#bytes, this.request)) this.#finish()
  }

  #finish(): void {
    if (this.#timer === null) return
    this.#timer.cancel()
    this.#timer = null
    for (const partition of this.waiting.keys()) partition.unwatch(this)
    this.reply(read(this.cluster, this.node, this.request))
  }
}

/** `null` when there are enough bytes, or an error that the client should learn at once. */
function waitingFor(cluster: ClusterState, node: number, request: FetchRequest): Waiting | null {
  const waiting: Waiting = new Map()
  let sum = 0
  for (const asked of request.partitions) {
    const bytes = readableBytes(cluster, node, asked, request)
    const partition = cluster.partition(asked.topic, asked.partition)
    if (bytes === null || partition === undefined) return null
    waiting.set(partition, { asked, bytes })
    sum += bytes
    if (isEnough(sum, request)) return null
  }
  return request.partitions.length === 0 || sum >= request.minBytes ? null : waiting
}

const isEnough = (bytes: number, { minBytes }: FetchRequest) => bytes >= minBytes && bytes > 0

/** Of one partition, no more than are asked for in all; `null` for what its client should learn at once. */
function readableBytes(
  cluster: ClusterState,
  node: number,
  asked: FetchPartition,
  request: FetchRequest,
): number | null {
  const partition = cluster.partition(asked.topic, asked.partition)
  if (partition === undefined || problemOf(cluster, partition, node, asked) !== brokerCode.NONE) return null
  if (nearerReplica(cluster, partition, node, asked, request) >= 0) return null
  const end = endFor(partition, node, request)
  return partition.log.readableBytes(asked.fetchOffset, end, Math.max(request.minBytes, 1))
}

function read(cluster: ClusterState, node: number, request: FetchRequest): FetchAnswer {
  let bytesLeft = request.maxBytes
  let isEmptySoFar = true
  const partitions: FetchedPartition[] = []
  for (const asked of request.partitions) {
    const partition = cluster.partition(asked.topic, asked.partition)
    const problem = problemOf(cluster, partition, node, asked)
    if (partition === undefined || problem !== brokerCode.NONE) {
      partitions.push(fetchRefused(asked, problem))
      continue
    }
    const nearer = nearerReplica(cluster, partition, node, asked, request)
    if (nearer >= 0) {
      partitions.push({ ...answered(partition, node, asked, request, []), preferredReadReplica: nearer })
      continue
    }
    const limit = Math.min(asked.partitionMaxBytes, bytesLeft)
    const end = endFor(partition, node, request)
    // Only the first batch of the whole answer may be larger than asked for, so that a large record cannot block for ever.
    const batches = partition.log.read(asked.fetchOffset, end, limit, isEmptySoFar)
    const sizeBytes = batches.reduce((bytes, batch) => bytes + batch.sizeBytes, 0)
    if (sizeBytes > 0) isEmptySoFar = false
    bytesLeft = Math.max(0, bytesLeft - sizeBytes)
    partitions.push(answered(partition, node, asked, request, batches))
  }
  return { throttleTimeMs: 0, errorCode: brokerCode.NONE, partitions }
}

function problemOf(
  cluster: ClusterState,
  partition: Partition | undefined,
  node: number,
  asked: FetchPartition,
): number {
  const isAnother = asked.topicId !== null && cluster.topics.get(asked.topic)?.topicId !== asked.topicId
  if (isAnother) return brokerCode.UNKNOWN_TOPIC_ID
  const problem = readingProblem(partition, node, asked.currentLeaderEpoch)
  if (problem !== brokerCode.NONE || partition === undefined) return problem
  if (asked.fetchOffset < partition.log.startOffset || asked.fetchOffset > partition.endAt(node)) {
    return brokerCode.OFFSET_OUT_OF_RANGE
  }
  return brokerCode.NONE
}

function endFor(partition: Partition, node: number, request: FetchRequest): number {
  const end = request.isolation === 'read-committed' ? partition.lastStableOffset : partition.highWatermark
  return Math.min(end, partition.endAt(node))
}

/** The in-sync follower in the reader's rack that the leader sends it to; -1 when it is to stay, or has come from there. */
function nearerReplica(
  cluster: ClusterState,
  partition: Partition,
  node: number,
  asked: FetchPartition,
  { rackId = '' }: FetchRequest,
): number {
  if (rackId === '' || partition.leader !== node || cluster.rackOf(node) === rackId) return -1
  const isNearer = (replica: number) =>
    cluster.rackOf(replica) === rackId && cluster.isRegistered(replica) && partition.endAt(replica) >= asked.fetchOffset
  return partition.isr.find(isNearer) ?? -1
}

function answered(
  partition: Partition,
  node: number,
  asked: FetchPartition,
  request: FetchRequest,
  batches: readonly StoredBatch[],
): FetchedPartition {
  const last = batches.at(-1)
  const aborted =
    request.isolation === 'read-committed' && last !== undefined
      ? partition.log.transactions.abortedBetween(asked.fetchOffset, last.lastOffset + 1)
      : []
  return {
    topic: asked.topic,
    partition: asked.partition,
    errorCode: brokerCode.NONE,
    highWatermark: Math.min(partition.highWatermark, partition.endAt(node)),
    lastStableOffset: Math.min(partition.lastStableOffset, partition.endAt(node)),
    logStartOffset: partition.log.startOffset,
    abortedTransactions: aborted.map(({ producerId, firstOffset }) => ({ producerId, firstOffset })),
    batches,
    unreadable: null,
    sizeBytes: batches.reduce((bytes, batch) => bytes + batch.sizeBytes, 0),
  }
}

/** All that is asked for, also what the request leaves to its session. */
export function fetchedPlaces({ partitions, session }: FetchRequest): readonly FetchPartition[] {
  return session === undefined ? partitions : [...session.all.values()]
}

/** A partition that was not fetched. */
export function fetchRefused({ topic, partition }: FetchPartition, errorCode: number): FetchedPartition {
  return {
    topic,
    partition,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    abortedTransactions: [],
    batches: [],
    unreadable: null,
    sizeBytes: 0,
  }
}
