import type { TopicPartition } from '../../message/topic-partition.js'
import type { Throttled, WithError } from './answer.js'
import type { GroupMemberIdentity } from './groups.js'
import type { CommittedPartition } from './offsets.js'

/**
 * Kafka's `transaction.version`, as far as a client can tell it apart. With 2 (KIP-890) the end of every transaction
 * raises the producer's epoch, and partitions join by being written to. The newest versions of Produce, TxnOffsetCommit
 * and EndTxn *mean* 2, whatever the cluster has agreed on; so a request says which is meant.
 */
export type TransactionVersion = 1 | 2

/** Which producer of a transactional id speaks; brokers refuse it once another one has taken its place. */
export interface TransactionalProducer {
  readonly transactionalId: string
  readonly producerId: number
  readonly producerEpoch: number
}
/** Before version 2 a partition joins the transaction so, before the first batch is written to it. */
export interface AddPartitionsToTxnRequest extends TransactionalProducer {
  readonly api: 'addPartitionsToTxn'
  readonly partitions: readonly TopicPartition[]
}
export interface AddPartitionsToTxnAnswer extends Throttled {
  /** One that cannot join keeps all out: the others say OPERATION_NOT_ATTEMPTED. */
  readonly partitions: readonly (TopicPartition & WithError)[]
}
/** Before version 2 a group's offsets join the transaction so, before TxnOffsetCommit. */
export interface AddOffsetsToTxnRequest extends TransactionalProducer {
  readonly api: 'addOffsetsToTxn'
  readonly groupId: string
}
export interface AddOffsetsToTxnAnswer extends Throttled, WithError {}
/** Asks the group's coordinator, not the transaction's. The group refuses a member or generation that is over. */
export interface TxnOffsetCommitRequest extends TransactionalProducer, GroupMemberIdentity {
  readonly api: 'txnOffsetCommit'
  readonly transactionVersion: TransactionVersion
  readonly partitions: readonly CommittedPartition[]
}
export interface TxnOffsetCommitAnswer extends Throttled {
  readonly partitions: readonly (TopicPartition & WithError)[]
}
export interface EndTxnRequest extends TransactionalProducer {
  readonly api: 'endTxn'
  readonly transactionVersion: TransactionVersion
  /** Otherwise it is aborted. */
  readonly committed: boolean
}
export interface EndTxnAnswer extends Throttled, WithError {
  /** What the next transaction goes on with; -1 before version 2, where the same id and epoch go on. */
  readonly producerId: number
  /** -1 as `producerId`. */
  readonly producerEpoch: number
}
/** Of one coordinator: every broker has to be asked. */
export interface ListTransactionsRequest {
  readonly api: 'listTransactions'
  /** By Kafka's names, for example `Ongoing`. Empty: all. */
  readonly stateFilters: readonly string[]
  /** Empty: all. */
  readonly producerIdFilters: readonly number[]
}
export interface ListTransactionsAnswer extends Throttled, WithError {
  /** What this broker does not know as a state; nothing is listed for it. */
  readonly unknownStateFilters: readonly string[]
  readonly transactions: readonly {
    readonly transactionalId: string
    readonly producerId: number
    readonly state: string
  }[]
}
/** Asks the coordinator of the ids. */
export interface DescribeTransactionsRequest {
  readonly api: 'describeTransactions'
  readonly transactionalIds: readonly string[]
}
export interface DescribedTransaction extends WithError, TransactionalProducer {
  /** `Empty`, `Ongoing`, `PrepareCommit`, `PrepareAbort`, `CompleteCommit`, `CompleteAbort`, `Dead`, `PrepareEpochFence`. */
  readonly state: string
  readonly timeoutMs: number
  /** Wall time in milliseconds; -1 while none is open. */
  readonly startTimeMs: number
  readonly partitions: readonly TopicPartition[]
}
export interface DescribeTransactionsAnswer extends Throttled {
  readonly transactions: readonly DescribedTransaction[]
}
/** Asks the leader of each partition. */
export interface DescribeProducersRequest {
  readonly api: 'describeProducers'
  readonly partitions: readonly TopicPartition[]
}
export interface ActiveProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  /** Of its newest record; wall time in milliseconds. */
  readonly lastTimestamp: number
  /** -1 before its first marker. */
  readonly coordinatorEpoch: number
  /** First offset of its open transaction in this partition; -1 when none is open. */
  readonly currentTxnStartOffset: number
}
export interface DescribeProducersAnswer extends Throttled {
  readonly partitions: readonly (TopicPartition & WithError & { readonly producers: readonly ActiveProducer[] })[]
}
