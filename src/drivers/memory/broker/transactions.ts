import { brokerCode } from '../../../connection/broker-error.js'
import type { InitProducerIdAnswer, InitProducerIdRequest } from '../../../connection/requests/init-producer-id.js'
import type {
  AddOffsetsToTxnAnswer,
  AddOffsetsToTxnRequest,
  AddPartitionsToTxnAnswer,
  AddPartitionsToTxnRequest,
  DescribeProducersAnswer,
  DescribeProducersRequest,
  DescribeTransactionsAnswer,
  DescribeTransactionsRequest,
  EndTxnAnswer,
  EndTxnRequest,
  ListTransactionsAnswer,
  ListTransactionsRequest,
  TransactionalProducer,
  TxnOffsetCommitAnswer,
  TxnOffsetCommitRequest,
} from '../../../connection/requests/transactions.js'
import type { ClusterState } from '../cluster/cluster-state.js'
import type { GroupCoordinators } from '../group/group-coordinators.js'
import { completed } from '../transactions/end-transaction.js'
import { isEnding, type Owner, type TransactionState } from '../transactions/transaction.js'
import type { TransactionCoordinators } from '../transactions/transaction-coordinators.js'
import { leadershipProblem } from './leadership.js'
import { checkTransaction } from './transaction-check.js'

/** Where Kafka keeps what groups have committed: how it shows that offsets are part of a transaction. */
const offsetsTopic = '__consumer_offsets'

const ownerOf = ({ producerId, producerEpoch }: TransactionalProducer): Owner => ({ producerId, epoch: producerEpoch })

export function initProducerId(
  cluster: ClusterState,
  transactions: TransactionCoordinators,
  node: number,
  request: InitProducerIdRequest,
  reply: (answer: InitProducerIdAnswer) => void,
): void {
  const { transactionalId, transactionTimeoutMs, producerId, producerEpoch } = request
  const answer = (errorCode: number, id: number, epoch: number) =>
    reply({ throttleTimeMs: 0, errorCode, producerId: id, producerEpoch: epoch })
  if (transactionalId === null) {
    answer(brokerCode.NONE, cluster.takeProducerId(), 0)
    return
  }
  const problem = transactions.problemAt(node, transactionalId)
  if (problem !== brokerCode.NONE) {
    answer(problem, -1, -1)
    return
  }
  const owner = { producerId, epoch: producerEpoch }
  transactions.init(transactionalId, { owner, timeoutMs: transactionTimeoutMs }, (errorCode, transaction) => {
    if (errorCode !== brokerCode.NONE || transaction === null) answer(errorCode, -1, -1)
    else answer(errorCode, transaction.producerId, transaction.epoch)
  })
}

export function addPartitionsToTxn(
  cluster: ClusterState,
  transactions: TransactionCoordinators,
  node: number,
  request: AddPartitionsToTxnRequest,
  reply: (answer: AddPartitionsToTxnAnswer) => void,
): void {
  const { transactionalId, partitions } = request
  const answer = (codeOf: (isKnown: boolean) => number) =>
    reply({
      throttleTimeMs: 0,
      partitions: partitions.map(({ topic, partition }) => ({
        topic,
        partition,
        errorCode: codeOf(cluster.partition(topic, partition) !== undefined),
      })),
    })
  const problem = transactions.problemAt(node, transactionalId)
  if (problem !== brokerCode.NONE) {
    answer(() => problem)
  } else if (partitions.some(({ topic, partition }) => cluster.partition(topic, partition) === undefined)) {
    answer((isKnown) => (isKnown ? brokerCode.OPERATION_NOT_ATTEMPTED : brokerCode.UNKNOWN_TOPIC_OR_PARTITION))
  } else {
    const participants = partitions.map(({ topic, partition }) => ({ kind: 'partition', topic, partition }) as const)
    transactions.add(transactionalId, ownerOf(request), participants, (errorCode) => answer(() => errorCode))
  }
}

export function addOffsetsToTxn(
  transactions: TransactionCoordinators,
  node: number,
  request: AddOffsetsToTxnRequest,
  reply: (answer: AddOffsetsToTxnAnswer) => void,
): void {
  const { transactionalId, groupId } = request
  const answer = (errorCode: number) => reply({ throttleTimeMs: 0, errorCode })
  const problem =
    transactions.problemAt(node, transactionalId) || (groupId === '' ? brokerCode.INVALID_GROUP_ID : brokerCode.NONE)
  if (problem !== brokerCode.NONE) answer(problem)
  else transactions.add(transactionalId, ownerOf(request), [{ kind: 'offsets', groupId }], answer)
}

/** Answered when the decision is written, before the markers are. */
export function endTxn(
  transactions: TransactionCoordinators,
  node: number,
  request: EndTxnRequest,
  reply: (answer: EndTxnAnswer) => void,
): void {
  const { transactionalId, committed, transactionVersion } = request
  const answer = (errorCode: number, producerId: number, producerEpoch: number) =>
    reply({ throttleTimeMs: 0, errorCode, producerId, producerEpoch })
  const problem = transactions.problemAt(node, transactionalId)
  if (problem !== brokerCode.NONE) {
    answer(problem, -1, -1)
    return
  }
  const end = { owner: ownerOf(request), outcome: committed ? 'commit' : 'abort', version: transactionVersion } as const
  transactions.end(transactionalId, end, (errorCode, transaction) => {
    if (errorCode !== brokerCode.NONE || transaction === null || transactionVersion === 1) {
      answer(errorCode, -1, -1)
      return
    }
    const { producerId, epoch } = isEnding(transaction) ? completed(transaction) : transaction
    answer(errorCode, producerId, epoch)
  })
}

/** At the coordinator of the group, which asks the coordinator of the transaction. */
export function txnOffsetCommit(
  cluster: ClusterState,
  groups: GroupCoordinators,
  transactions: TransactionCoordinators,
  node: number,
  request: TxnOffsetCommitRequest,
  reply: (answer: TxnOffsetCommitAnswer) => void,
): void {
  const { groupId, transactionVersion } = request
  const refuse = (errorCode: number) =>
    reply({
      throttleTimeMs: 0,
      partitions: request.partitions.map(({ topic, partition }) => ({ topic, partition, errorCode })),
    })
  const problem = groups.problemAt(node, groupId)
  if (problem !== brokerCode.NONE) {
    refuse(problem)
    return
  }
  const offsets = { kind: 'offsets', groupId } as const
  const unreachable = brokerCode.COORDINATOR_LOAD_IN_PROGRESS
  checkTransaction(cluster, transactions, transactionVersion, request, [offsets], unreachable, (errorCode) => {
    if (errorCode === brokerCode.NONE) reply(groups.commitInTransaction(node, request))
    else refuse(errorCode)
  })
}

const states: readonly TransactionState[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
]

export function listTransactions(
  transactions: TransactionCoordinators,
  node: number,
  { stateFilters, producerIdFilters }: ListTransactionsRequest,
): ListTransactionsAnswer {
  const asked = transactions
    .all()
    .filter(({ coordinator }) => coordinator === node)
    .filter(({ transaction }) => stateFilters.length === 0 || stateFilters.includes(transaction.state))
    .filter(({ transaction }) => producerIdFilters.length === 0 || producerIdFilters.includes(transaction.producerId))
  return {
    throttleTimeMs: 0,
    errorCode: brokerCode.NONE,
    unknownStateFilters: stateFilters.filter((filter) => !states.some((state) => state === filter)),
    transactions: asked.map(({ transactionalId, transaction: { producerId, state } }) => ({
      transactionalId,
      producerId,
      state,
    })),
  }
}

export function describeTransactions(
  cluster: ClusterState,
  transactions: TransactionCoordinators,
  node: number,
  { transactionalIds }: DescribeTransactionsRequest,
): DescribeTransactionsAnswer {
  return {
    throttleTimeMs: 0,
    transactions: transactionalIds.map((transactionalId) => {
      const problem = transactions.problemAt(node, transactionalId)
      const found = problem === brokerCode.NONE ? transactions.facts(transactionalId) : undefined
      if (found === undefined) {
        const errorCode = problem || brokerCode.TRANSACTIONAL_ID_NOT_FOUND
        return {
          ...{ errorCode, transactionalId, state: '', timeoutMs: -1, startTimeMs: -1 },
          ...{ producerId: -1, producerEpoch: -1, partitions: [] },
        }
      }
      const { transaction } = found
      const { clock } = cluster.runtime
      const isOpen = transaction.state === 'Ongoing' || isEnding(transaction)
      return {
        errorCode: brokerCode.NONE,
        transactionalId,
        state: transaction.state,
        timeoutMs: transaction.timeoutMs,
        startTimeMs: isOpen ? clock.wallTime() - (clock.now() - transaction.startedAt) : -1,
        producerId: transaction.producerId,
        producerEpoch: transaction.epoch,
        partitions: [...transaction.participants.values()].map((participant) =>
          participant.kind === 'offsets' ? { topic: offsetsTopic, partition: 0 } : participant,
        ),
      }
    }),
  }
}

/** At the leader of each partition. */
export function describeProducers(
  cluster: ClusterState,
  node: number,
  { partitions }: DescribeProducersRequest,
): DescribeProducersAnswer {
  return {
    throttleTimeMs: 0,
    partitions: partitions.map(({ topic, partition: index }) => {
      const partition = cluster.partition(topic, index)
      const errorCode = leadershipProblem(partition, node, -1)
      const known = errorCode === brokerCode.NONE ? (partition?.log.ledger.producers() ?? []) : []
      return {
        topic,
        partition: index,
        errorCode,
        producers: known.map((producer) => ({
          ...producer,
          lastTimestamp: partition?.log.timeOfProducer(producer.producerId) ?? -1,
          coordinatorEpoch: 0,
          currentTxnStartOffset: partition?.log.transactions.openSince(producer.producerId) ?? -1,
        })),
      }
    }),
  }
}
