import { brokerCode } from '../../../connection/broker-error.js'
import type { TransactionVersion } from '../../../connection/requests/transactions.js'
import { fencedAndAborted } from './end-transaction.js'
import {
  hasEpochsLeft,
  isEnding,
  lastUsableEpoch,
  noEpoch,
  noProducerId,
  refused,
  type Owner,
  type Transaction,
  type Verdict,
} from './transaction.js'

export interface InitRequest {
  readonly owner: Owner
  readonly timeoutMs: number
}

/** An id that nobody has used yet, or that has expired: whoever asks, a new producer id. */
export function firstOwner(producerId: number, epoch: number, timeoutMs: number): Transaction {
  return {
    state: 'Empty',
    producerId,
    previousProducerId: noProducerId,
    nextProducerId: noProducerId,
    epoch,
    lastEpoch: noEpoch,
    timeoutMs,
    participants: new Map(),
    startedAt: -1,
  }
}

/**
 * InitProducerId for a known id, first row that applies:
 *
 * | situation                                     | answer                                                             |
 * |-----------------------------------------------|--------------------------------------------------------------------|
 * | a write is pending                            | CONCURRENT_TRANSACTIONS                                            |
 * | it names another producer id                  | PRODUCER_FENCED, unless the last epoch of the id before this one    |
 * | Prepare…                                      | CONCURRENT_TRANSACTIONS                                            |
 * | Ongoing                                       | the owner is fenced and aborted; CONCURRENT_TRANSACTIONS. The epoch |
 * |                                               | that was named is not compared                                     |
 * | it names the present epoch, or none           | the next epoch; a new producer id where epochs are used up          |
 * | it names the epoch before                     | the present one again: a repeat                                    |
 * | it names any other                            | PRODUCER_FENCED                                                    |
 */
export function judgeInit(
  transaction: Transaction,
  isPending: boolean,
  { owner, timeoutMs }: InitRequest,
  version: TransactionVersion,
  takeProducerId: () => number,
): Verdict {
  if (isPending) return refused(brokerCode.CONCURRENT_TRANSACTIONS)
  const isNew = owner.producerId === noProducerId
  if (!isNew && !mayBe(transaction, owner)) return refused(brokerCode.PRODUCER_FENCED)
  if (isEnding(transaction)) return refused(brokerCode.CONCURRENT_TRANSACTIONS)
  if (transaction.state === 'Ongoing') return { kind: 'fence', next: fencedAndAborted(transaction, version) }

  if (!isNew && owner.epoch !== transaction.epoch) {
    return owner.epoch === transaction.lastEpoch ? { kind: 'known' } : refused(brokerCode.PRODUCER_FENCED)
  }
  const lastEpoch = isNew ? noEpoch : transaction.epoch
  const next: Transaction = { ...transaction, state: 'Empty', lastEpoch, timeoutMs, startedAt: -1 }
  if (hasEpochsLeft(transaction)) return { kind: 'write', next: { ...next, epoch: transaction.epoch + 1 } }
  const producerId = takeProducerId()
  return { kind: 'write', next: { ...next, producerId, previousProducerId: transaction.producerId, epoch: 0 } }
}

function mayBe({ producerId, previousProducerId }: Transaction, owner: Owner): boolean {
  if (owner.producerId === producerId) return true
  return owner.producerId === previousProducerId && owner.epoch >= lastUsableEpoch
}
