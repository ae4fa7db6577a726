import { brokerCode } from '../../connection/broker-error.js'
import type { ProduceAnswer, ProduceBatch, ProducedPartition, ProduceRequest } from '../../connection/requests.js'
import type { Timer } from '../../runtime/clock.js'
import { setBrokerTimer } from './broker-timer.js'
import type { ClusterState } from './cluster-state.js'
import type { Partition, PartitionWatcher } from './partition.js'
import { sizeOf } from './stored-batch.js'

/** Answers a produce request at the broker `node`. */
export function produce(
  cluster: ClusterState,
  node: number,
  request: ProduceRequest,
  reply: (answer: ProduceAnswer) => void,
): void {
  const fates = request.batches.map((batch) => appendBatch(cluster, node, request, batch))
  if (request.acks === -1) for (const fate of fates) settleIfReplicated(fate)
  if (request.acks !== -1 || fates.every((fate) => fate.settled)) {
    reply(answerOf(fates))
    return
  }
  const parked = new ParkedProduce(fates, reply)
  parked.park(cluster, request.timeoutMs)
}

/** What became of one batch of the request so far. */
interface BatchFate {
  readonly partition: Partition | null
  readonly leaderEpoch: number
  /** The in-sync replicas must reach it before acks=all is confirmed. */
  readonly requiredOffset: number
  answer: ProducedPartition
  settled: boolean
}

/** An acks=all request whose followers have not copied everything yet. */
class ParkedProduce implements PartitionWatcher {
  #timer: Timer | null = null

  constructor(
    private readonly fates: readonly BatchFate[],
    private readonly reply: (answer: ProduceAnswer) => void,
  ) {}

  park(cluster: ClusterState, timeoutMs: number): void {
    for (const fate of this.fates) if (!fate.settled) fate.partition?.watch(this)
    this.#timer = setBrokerTimer(cluster.runtime.clock, timeoutMs, () => this.#timeOut())
  }

  partitionChanged(): void {
    for (const fate of this.fates) settleIfReplicated(fate)
    if (this.fates.every((fate) => fate.settled)) this.#finish()
  }

  #timeOut(): void {
    for (const fate of this.fates) if (!fate.settled) settle(fate, brokerCode.REQUEST_TIMED_OUT)
    this.#finish()
  }

  #finish(): void {
    if (this.#timer === null) return
    this.#timer.cancel()
    this.#timer = null
    for (const fate of this.fates) fate.partition?.unwatch(this)
    this.reply(answerOf(this.fates))
  }
}

function appendBatch(cluster: ClusterState, node: number, request: ProduceRequest, batch: ProduceBatch): BatchFate {
  const partition = cluster.partition(batch.topic, batch.partition)
  if (partition === undefined) return refused(batch, brokerCode.UNKNOWN_TOPIC_OR_PARTITION)
  const sizeBytes = sizeOf(batch.records)
  const problem = problemOf(cluster, node, partition, request, batch, sizeBytes)
  if (problem !== brokerCode.NONE) return refused(batch, problem)

  if (batch.producerId >= 0) {
    const judged = partition.log.ledger.judge({
      producerId: batch.producerId,
      producerEpoch: batch.producerEpoch,
      baseSequence: batch.baseSequence,
      recordCount: batch.records.length,
    })
    if (judged.verdict === 'refuse') return refused(batch, judged.errorCode)
    if (judged.verdict === 'duplicate') return stored(partition, judged.baseOffset, batch.records.length)
  }
  const appended = partition.append(batch.records, batch, sizeBytes)
  return stored(partition, appended.baseOffset, batch.records.length)
}

/** The checks before the append, in the order a broker makes them. */
function problemOf(
  cluster: ClusterState,
  node: number,
  partition: Partition,
  request: ProduceRequest,
  batch: ProduceBatch,
  sizeBytes: number,
): number {
  // Transactions are not part of this cluster yet.
  if (request.transactionalId !== null || batch.isTransactional) return brokerCode.UNSUPPORTED_VERSION
  if (request.acks !== 0 && request.acks !== 1 && request.acks !== -1) return brokerCode.INVALID_REQUIRED_ACKS
  if (partition.leader !== node) return brokerCode.NOT_LEADER_OR_FOLLOWER
  if (request.acks === -1 && !partition.hasEnoughReplicas) return brokerCode.NOT_ENOUGH_REPLICAS
  return problemOfRecords(cluster.runtime.clock.now(), partition, batch, sizeBytes)
}

function problemOfRecords(now: number, partition: Partition, batch: ProduceBatch, sizeBytes: number): number {
  const { records } = batch
  const { configs } = partition
  if (records.length === 0) return brokerCode.INVALID_RECORD
  if (sizeBytes > configs.maxMessageBytes) return brokerCode.MESSAGE_TOO_LARGE
  if (configs.compacted && records.some((record) => record.key === null)) return brokerCode.INVALID_RECORD
  if (configs.limitsTimestamps) {
    const earliest = now - configs.maxBeforeMs
    const latest = now + configs.maxAfterMs
    if (records.some(({ timestamp }) => timestamp < earliest || timestamp > latest)) return brokerCode.INVALID_TIMESTAMP
  }
  return brokerCode.NONE
}

function stored(partition: Partition, baseOffset: number, recordCount: number): BatchFate {
  const { topic, index, log, configs } = partition
  return {
    partition,
    leaderEpoch: partition.leaderEpoch,
    requiredOffset: baseOffset + recordCount,
    answer: {
      topic,
      partition: index,
      errorCode: brokerCode.NONE,
      baseOffset,
      logAppendTime: configs.appendTime ? log.timeOf(baseOffset) : -1,
      logStartOffset: log.startOffset,
    },
    settled: false,
  }
}

function refused({ topic, partition }: ProduceBatch, errorCode: number): BatchFate {
  const answer = { topic, partition, errorCode, baseOffset: -1, logAppendTime: -1, logStartOffset: -1 }
  return { partition: null, leaderEpoch: -1, requiredOffset: -1, answer, settled: true }
}

function settleIfReplicated(fate: BatchFate): void {
  if (fate.settled || fate.partition === null) return
  const { partition } = fate
  if (partition.deleted) settle(fate, brokerCode.UNKNOWN_TOPIC_OR_PARTITION)
  else if (partition.leaderEpoch !== fate.leaderEpoch) settle(fate, brokerCode.NOT_LEADER_OR_FOLLOWER)
  else if (partition.highWatermark >= fate.requiredOffset) {
    settle(fate, partition.hasEnoughReplicas ? brokerCode.NONE : brokerCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND)
  }
}

function settle(fate: BatchFate, errorCode: number): void {
  fate.settled = true
  if (errorCode !== brokerCode.NONE) fate.answer = { ...fate.answer, errorCode }
}

function answerOf(fates: readonly BatchFate[]): ProduceAnswer {
  return { throttleTimeMs: 0, partitions: fates.map((fate) => fate.answer) }
}
