import { brokerCode } from '../../../connection/broker-error.js'
import type { TransactionVersion } from '../../../connection/requests/transactions.js'
import {
  hasEpochsLeft,
  lastUsableEpoch,
  noEpoch,
  noProducerId,
  refused,
  type Owner,
  type Transaction,
  type TransactionState,
  type Verdict,
} from './transaction.js'

export interface EndRequest {
  readonly owner: Owner
  readonly outcome: Outcome
  /** What the producer works by, not what the cluster has agreed on. */
  readonly version: TransactionVersion
}

export type Outcome = 'commit' | 'abort'

/** What one row of a table says: begin the end, say yes again, or refuse. */
type Cell = 'end' | 'known' | number

const { PRODUCER_FENCED, INVALID_TXN_STATE, CONCURRENT_TRANSACTIONS } = brokerCode

/** EndTxn below transaction version 2: the epoch has to be the present one. */
const table1: Readonly<Record<TransactionState, Readonly<Record<Outcome, Cell>>>> = {
  Empty: { commit: INVALID_TXN_STATE, abort: INVALID_TXN_STATE },
  Ongoing: { commit: 'end', abort: 'end' },
  PrepareCommit: { commit: CONCURRENT_TRANSACTIONS, abort: INVALID_TXN_STATE },
  PrepareAbort: { commit: INVALID_TXN_STATE, abort: CONCURRENT_TRANSACTIONS },
  CompleteCommit: { commit: 'known', abort: INVALID_TXN_STATE },
  CompleteAbort: { commit: INVALID_TXN_STATE, abort: 'known' },
}

/**
 * EndTxn from version 2 on. The end raises the epoch, so whoever names the present one has not been answered yet
 * (`present`), and whoever names the one before repeats (`before`). Any other is fenced.
 */
const table2: Readonly<
  Record<TransactionState, Readonly<Record<'present' | 'before', Readonly<Record<Outcome, Cell>>>>>
> = {
  Empty: {
    present: { commit: INVALID_TXN_STATE, abort: 'end' },
    before: { commit: PRODUCER_FENCED, abort: PRODUCER_FENCED },
  },
  Ongoing: {
    present: { commit: 'end', abort: 'end' },
    before: { commit: PRODUCER_FENCED, abort: PRODUCER_FENCED },
  },
  PrepareCommit: {
    present: { commit: PRODUCER_FENCED, abort: PRODUCER_FENCED },
    before: { commit: CONCURRENT_TRANSACTIONS, abort: INVALID_TXN_STATE },
  },
  PrepareAbort: {
    present: { commit: PRODUCER_FENCED, abort: PRODUCER_FENCED },
    before: { commit: INVALID_TXN_STATE, abort: CONCURRENT_TRANSACTIONS },
  },
  CompleteCommit: {
    present: { commit: INVALID_TXN_STATE, abort: 'end' },
    before: { commit: 'known', abort: INVALID_TXN_STATE },
  },
  CompleteAbort: {
    present: { commit: INVALID_TXN_STATE, abort: 'end' },
    before: { commit: INVALID_TXN_STATE, abort: 'known' },
  },
}

export function judgeEnd(
  transaction: Transaction | undefined,
  isPending: boolean,
  request: EndRequest,
  now: number,
  takeProducerId: () => number,
): Verdict {
  if (transaction === undefined) return refused(brokerCode.INVALID_PRODUCER_ID_MAPPING)
  const { owner, outcome, version } = request
  const cell =
    version === 2 ? cell2(transaction, isPending, owner, outcome) : cell1(transaction, isPending, owner, outcome)
  if (cell === 'known') return { kind: 'known' }
  if (cell !== 'end') return refused(cell)
  return { kind: 'write', next: ending(transaction, outcome, version, now, takeProducerId) }
}

function cell1(transaction: Transaction, isPending: boolean, owner: Owner, outcome: Outcome): Cell {
  if (owner.producerId !== transaction.producerId) return brokerCode.INVALID_PRODUCER_ID_MAPPING
  if (owner.epoch !== transaction.epoch) return PRODUCER_FENCED
  return isPending ? CONCURRENT_TRANSACTIONS : table1[transaction.state][outcome]
}

function cell2(transaction: Transaction, isPending: boolean, owner: Owner, outcome: Outcome): Cell {
  if (isPending) return CONCURRENT_TRANSACTIONS
  // The end that used up the epochs was answered with another producer id and epoch 0.
  const repeatsLast =
    owner.producerId === transaction.previousProducerId && owner.epoch === lastUsableEpoch && transaction.epoch === 0
  if (owner.producerId !== transaction.producerId && !repeatsLast) return brokerCode.INVALID_PRODUCER_ID_MAPPING
  const row = table2[transaction.state]
  if (repeatsLast || owner.epoch === transaction.epoch - 1) return row.before[outcome]
  return owner.epoch === transaction.epoch ? row.present[outcome] : PRODUCER_FENCED
}

function ending(
  transaction: Transaction,
  outcome: Outcome,
  version: TransactionVersion,
  now: number,
  takeProducerId: () => number,
): Transaction {
  const state = outcome === 'commit' ? 'PrepareCommit' : 'PrepareAbort'
  const startedAt = transaction.state === 'Ongoing' ? transaction.startedAt : now
  if (version === 1) return { ...transaction, state, startedAt }
  const nextProducerId = hasEpochsLeft(transaction) ? noProducerId : takeProducerId()
  return {
    ...transaction,
    state,
    startedAt,
    nextProducerId,
    epoch: transaction.epoch + 1,
    lastEpoch: transaction.epoch,
  }
}

/** An open transaction whose owner is no longer heard: it took too long, or another one asked for its id. */
export function fencedAndAborted(transaction: Transaction, version: TransactionVersion): Transaction {
  const lastEpoch = version === 2 ? transaction.epoch : noEpoch
  return { ...transaction, state: 'PrepareAbort', epoch: transaction.epoch + 1, lastEpoch }
}

/** Every participant has its marker. */
export function completed(transaction: Transaction): Transaction {
  const state = transaction.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort'
  const done: Transaction = { ...transaction, state, participants: new Map(), nextProducerId: noProducerId }
  if (transaction.nextProducerId === noProducerId) return done
  return { ...done, producerId: transaction.nextProducerId, previousProducerId: transaction.producerId, epoch: 0 }
}
