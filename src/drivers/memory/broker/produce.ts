import { brokerCode } from '../../../connection/broker-error.js'
import type {
  ProduceAnswer,
  ProduceBatch,
  ProducedPartition,
  ProduceRequest,
  RefusedRecord,
} from '../../../connection/requests/produce.js'
import type { OutgoingRecord, OutgoingRecords } from '../../../message/record.js'
import type { Timer } from '../../../runtime/clock.js'
import { compressionBits } from '../../../wire/compression.js'
import { setBrokerTimer } from '../cluster/broker-timer.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { Partition, PartitionWatcher } from '../log/partition.js'
import { sizeOf } from '../log/stored-batch.js'
import type { TransactionCoordinators } from '../transactions/transaction-coordinators.js'
import { checkTransaction } from './transaction-check.js'

/** Answers a produce request at the broker `node`. */
export function produce(
  cluster: ClusterState,
  transactions: TransactionCoordinators,
  node: number,
  request: ProduceRequest,
  reply: (answer: ProduceAnswer) => void,
): void {
  const { transactionalId } = request
  const first =
    transactionalId === null ? [] : request.batches.filter((batch) => beginsTransaction(cluster, node, batch))
  const [{ producerId, producerEpoch } = { producerId: -1, producerEpoch: -1 }] = first
  if (transactionalId === null || first.length === 0) {
    appendAll(cluster, node, request, new Map(), reply)
    return
  }
  const participants = first.map(({ topic, partition }) => ({ kind: 'partition', topic, partition }) as const)
  const producer = { transactionalId, producerId, producerEpoch }
  const version = request.transactionVersion ?? 1
  const unreachable = brokerCode.NOT_ENOUGH_REPLICAS
  checkTransaction(cluster, transactions, version, producer, participants, unreachable, (errorCode) => {
    const refusals = errorCode === brokerCode.NONE ? [] : first.map((batch) => [batch, errorCode] as const)
    appendAll(cluster, node, request, new Map(refusals), reply)
  })
}

/** The leader knows of no transaction of this producer and epoch in the partition. */
function beginsTransaction(cluster: ClusterState, node: number, batch: ProduceBatch): boolean {
  const partition = cluster.partition(batch.topic, batch.partition)
  if (partition === undefined || partition.leader !== node || !batch.isTransactional) return false
  const { transactions, ledger } = partition.log
  return transactions.openSince(batch.producerId) < 0 || ledger.epochOf(batch.producerId) !== batch.producerEpoch
}

function appendAll(
  cluster: ClusterState,
  node: number,
  request: ProduceRequest,
  refusals: ReadonlyMap<ProduceBatch, number>,
  reply: (answer: ProduceAnswer) => void,
): void {
  const fates = request.batches.map((batch) => appendBatch(cluster, node, request, batch, refusals.get(batch)))
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

function appendBatch(
  cluster: ClusterState,
  node: number,
  request: ProduceRequest,
  batch: ProduceBatch,
  refusal: number | undefined,
): BatchFate {
  if (refusal !== undefined) return refused(batch, wholeBatch(refusal))
  const partition = cluster.partition(batch.topic, batch.partition)
  if (partition === undefined) return refused(batch, wholeBatch(brokerCode.UNKNOWN_TOPIC_OR_PARTITION))
  const { records } = batch
  const problem = problemOf(cluster, node, partition, request, batch)
  if (problem !== null) return refused(batch, problem)

  if (batch.producerId >= 0) {
    const { producerId, producerEpoch, baseSequence } = batch
    const said = { producerId, producerEpoch, baseSequence, recordCount: records.count }
    const judged = partition.log.ledger.judge(said, request.transactionVersion === 2)
    if (judged.verdict === 'refuse') return refused(batch, wholeBatch(judged.errorCode))
    if (judged.verdict === 'duplicate') return stored(partition, judged.baseOffset, records.count)
  }
  const appended = partition.append(records, batch)
  return stored(partition, appended.baseOffset, records.count)
}

/** Why a batch is not taken in, and which of its records are to blame. */
type Problem = Pick<ProducedPartition, 'errorCode' | 'recordErrors' | 'errorMessage'>

function wholeBatch(errorCode: number): Problem {
  return { errorCode, recordErrors: [], errorMessage: null }
}

/** The checks before the append, in the order a broker makes them. */
function problemOf(
  cluster: ClusterState,
  node: number,
  partition: Partition,
  request: ProduceRequest,
  batch: ProduceBatch,
): Problem | null {
  if ((request.transactionalId !== null) !== batch.isTransactional) return wholeBatch(brokerCode.INVALID_REQUEST)
  if (batch.isTransactional && request.acks !== -1) return wholeBatch(brokerCode.INVALID_REQUIRED_ACKS)
  if (request.acks !== 0 && request.acks !== 1 && request.acks !== -1) {
    return wholeBatch(brokerCode.INVALID_REQUIRED_ACKS)
  }
  if (compressionBits(batch.compression) === -1) return wholeBatch(brokerCode.UNSUPPORTED_COMPRESSION_TYPE)
  if (partition.leader !== node) return wholeBatch(brokerCode.NOT_LEADER_OR_FOLLOWER)
  if (request.acks === -1 && !partition.hasEnoughReplicas) return wholeBatch(brokerCode.NOT_ENOUGH_REPLICAS)
  return problemOfRecords(cluster.runtime.clock.wallTime(), partition, batch.records)
}

function problemOfRecords(now: number, { configs }: Partition, batch: OutgoingRecords): Problem | null {
  if (batch.count === 0) return wholeBatch(brokerCode.INVALID_RECORD)
  if (sizeOf(batch) > configs.maxMessageBytes) return wholeBatch(brokerCode.MESSAGE_TOO_LARGE)
  if (!configs.compacted && !configs.limitsTimestamps) return null
  const records = batch.decode()
  const keyless = configs.compacted ? culprits(records, ({ key }) => key === null, 'a compacted topic needs a key') : []
  const untimely = configs.limitsTimestamps
    ? culprits(
        records,
        ({ timestamp }) => timestamp < now - configs.maxBeforeMs || timestamp > now + configs.maxAfterMs,
        'its timestamp is too far from the time of the broker',
      )
    : []
  if (keyless.length === 0 && untimely.length === 0) return null
  return {
    errorCode: untimely.length > 0 ? brokerCode.INVALID_TIMESTAMP : brokerCode.INVALID_RECORD,
    recordErrors: [...keyless, ...untimely].sort((one, other) => one.index - other.index),
    errorMessage: 'the batch holds records that this topic does not take',
  }
}

function culprits(
  records: readonly OutgoingRecord[],
  isBad: (record: OutgoingRecord) => boolean,
  message: string,
): RefusedRecord[] {
  const found: RefusedRecord[] = []
  for (const [index, record] of records.entries()) if (isBad(record)) found.push({ index, message })
  return found
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
      recordErrors: [],
      errorMessage: null,
    },
    settled: false,
  }
}

function refused({ topic, partition }: ProduceBatch, problem: Problem): BatchFate {
  const answer = { topic, partition, ...problem, baseOffset: -1, logAppendTime: -1, logStartOffset: -1 }
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
