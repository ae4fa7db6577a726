import { brokerCode } from '../../../connection/broker-error.js'
import {
  isEnding,
  participantKey,
  refused,
  type Owner,
  type Participant,
  type Transaction,
  type Verdict,
} from './transaction.js'

/**
 * AddPartitionsToTxn, AddOffsetsToTxn and what a leader adds for a producer, first row that applies:
 *
 * | situation            | answer                       |
 * |----------------------|------------------------------|
 * | the id is not known  | INVALID_PRODUCER_ID_MAPPING  |
 * | a write is pending   | CONCURRENT_TRANSACTIONS      |
 * | another producer id  | INVALID_PRODUCER_ID_MAPPING  |
 * | another epoch        | PRODUCER_FENCED              |
 * | Prepare…             | CONCURRENT_TRANSACTIONS      |
 * | all are in it        | NONE                         |
 * | else                 | written, NONE                |
 */
export function judgeAdd(
  transaction: Transaction | undefined,
  isPending: boolean,
  owner: Owner,
  added: readonly Participant[],
  now: number,
): Verdict {
  if (transaction === undefined) return refused(brokerCode.INVALID_PRODUCER_ID_MAPPING)
  if (isPending) return refused(brokerCode.CONCURRENT_TRANSACTIONS)
  const problem = problemOf(transaction, owner)
  if (problem !== brokerCode.NONE) return refused(problem)

  const { state, participants, startedAt } = transaction
  const isOngoing = state === 'Ongoing'
  if (isOngoing && added.every((each) => participants.has(participantKey(each)))) return { kind: 'known' }
  const all = new Map(isOngoing ? participants : [])
  for (const each of added) all.set(participantKey(each), each)
  return {
    kind: 'write',
    next: { ...transaction, state: 'Ongoing', participants: all, startedAt: isOngoing ? startedAt : now },
  }
}

/** What a leader asks for a producer that adds its partitions itself: is this one in the transaction? Nothing is written. */
export function judgeMembership(transaction: Transaction | undefined, owner: Owner, participant: Participant): number {
  if (transaction === undefined) return brokerCode.INVALID_PRODUCER_ID_MAPPING
  const problem = problemOf(transaction, owner)
  if (problem !== brokerCode.NONE) return problem
  const isIn = transaction.state === 'Ongoing' && transaction.participants.has(participantKey(participant))
  return isIn ? brokerCode.NONE : brokerCode.TRANSACTION_ABORTABLE
}

function problemOf(transaction: Transaction, owner: Owner): number {
  if (owner.producerId !== transaction.producerId) return brokerCode.INVALID_PRODUCER_ID_MAPPING
  if (owner.epoch !== transaction.epoch) return brokerCode.PRODUCER_FENCED
  return isEnding(transaction) ? brokerCode.CONCURRENT_TRANSACTIONS : brokerCode.NONE
}
