import { describe, expect, it } from 'vitest'
import { brokerCode, brokerCodeName } from '../../../../../src/connection/broker-error.js'
import { judgeAdd, judgeMembership } from '../../../../../src/drivers/memory/transactions/add-participants.js'
import {
  completed,
  fencedAndAborted,
  judgeEnd,
  type Outcome,
} from '../../../../../src/drivers/memory/transactions/end-transaction.js'
import { firstOwner, judgeInit } from '../../../../../src/drivers/memory/transactions/init-producer-id.js'
import {
  participantKey,
  type Participant,
  type Transaction,
  type TransactionState,
  type Verdict,
} from '../../../../../src/drivers/memory/transactions/transaction.js'

const partition: Participant = { kind: 'partition', topic: 't', partition: 0 }
const epoch = 5
const inState = (state: TransactionState, rest: Partial<Transaction> = {}): Transaction => ({
  ...firstOwner(7, epoch, 1_000),
  state,
  participants: new Map(state === 'Ongoing' ? [[participantKey(partition), partition]] : []),
  ...rest,
})
const states: readonly TransactionState[] = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
]
const named = (verdict: Verdict): string =>
  verdict.kind === 'refused' ? brokerCodeName(verdict.errorCode) : verdict.kind

describe('the end of a transaction', () => {
  const end = (version: 1 | 2, state: TransactionState, outcome: Outcome, named_: number, rest = {}) =>
    judgeEnd(inState(state, rest), false, { owner: { producerId: 7, epoch: named_ }, outcome, version }, 1, () => 8)

  it('is answered below version 2 as Kafka does', () => {
    const rows = states.map(
      (state) => `${state}: ${named(end(1, state, 'commit', epoch))} / ${named(end(1, state, 'abort', epoch))}`,
    )
    expect(rows).toEqual([
      'Empty: INVALID_TXN_STATE / INVALID_TXN_STATE',
      'Ongoing: write / write',
      'PrepareCommit: CONCURRENT_TRANSACTIONS / INVALID_TXN_STATE',
      'PrepareAbort: INVALID_TXN_STATE / CONCURRENT_TRANSACTIONS',
      'CompleteCommit: known / INVALID_TXN_STATE',
      'CompleteAbort: INVALID_TXN_STATE / known',
    ])
    for (const state of states) {
      expect(named(end(1, state, 'commit', epoch - 1))).toBe('PRODUCER_FENCED')
      expect(named(end(1, state, 'abort', epoch + 1))).toBe('PRODUCER_FENCED')
    }
  })

  it('is answered from version 2 on by whether the epoch named is the present one or the one before', () => {
    const rows = states.map((state) =>
      [epoch - 1, epoch]
        .flatMap((each) => [named(end(2, state, 'abort', each)), named(end(2, state, 'commit', each))])
        .join(' '),
    )
    // abort before, commit before, abort present, commit present
    expect(rows).toEqual([
      'PRODUCER_FENCED PRODUCER_FENCED write INVALID_TXN_STATE',
      'PRODUCER_FENCED PRODUCER_FENCED write write',
      'INVALID_TXN_STATE CONCURRENT_TRANSACTIONS PRODUCER_FENCED PRODUCER_FENCED',
      'CONCURRENT_TRANSACTIONS INVALID_TXN_STATE PRODUCER_FENCED PRODUCER_FENCED',
      'INVALID_TXN_STATE known write INVALID_TXN_STATE',
      'known INVALID_TXN_STATE write INVALID_TXN_STATE',
    ])
    for (const state of states) {
      expect(named(end(2, state, 'commit', epoch - 2))).toBe('PRODUCER_FENCED')
      expect(named(end(2, state, 'abort', epoch + 1))).toBe('PRODUCER_FENCED')
    }
  })

  it('raises the epoch from version 2 on, and keeps it below', () => {
    expect(end(1, 'Ongoing', 'commit', epoch)).toMatchObject({ next: { epoch, state: 'PrepareCommit' } })
    expect(end(2, 'Ongoing', 'commit', epoch)).toMatchObject({ next: { epoch: epoch + 1, lastEpoch: epoch } })
  })

  it('goes on with another producer id when epochs are used up, and knows the repeat of that end', () => {
    const verdict = end(2, 'Ongoing', 'commit', 32_766, { epoch: 32_766 })
    if (verdict.kind !== 'write') throw new Error('the end was not written')
    const done = completed(verdict.next)
    expect(done).toMatchObject({ producerId: 8, previousProducerId: 7, epoch: 0, state: 'CompleteCommit' })
    const repeat = { owner: { producerId: 7, epoch: 32_766 }, version: 2 } as const
    expect(judgeEnd(done, false, { ...repeat, outcome: 'commit' }, 1, () => 9)).toEqual({ kind: 'known' })
    expect(named(judgeEnd(done, false, { ...repeat, outcome: 'abort' }, 1, () => 9))).toBe('INVALID_TXN_STATE')
  })

  it('waits for a write that is pending, and refuses who is not known', () => {
    const request = { owner: { producerId: 7, epoch }, outcome: 'commit', version: 2 } as const
    expect(named(judgeEnd(inState('Ongoing'), true, request, 1, () => 8))).toBe('CONCURRENT_TRANSACTIONS')
    expect(named(judgeEnd(undefined, false, request, 1, () => 8))).toBe('INVALID_PRODUCER_ID_MAPPING')
    const other = { ...request, owner: { producerId: 3, epoch } }
    expect(named(judgeEnd(inState('Ongoing'), false, other, 1, () => 8))).toBe('INVALID_PRODUCER_ID_MAPPING')
  })
})

describe('a producer that asks for its id', () => {
  const init = (transaction: Transaction, producerId: number, of: number, version: 1 | 2 = 2, isPending = false) =>
    judgeInit(transaction, isPending, { owner: { producerId, epoch: of }, timeoutMs: 1_000 }, version, () => 8)

  it('is given the next epoch as a new owner, and nobody who was there before is known any more', () => {
    const verdict = init(inState('CompleteCommit', { lastEpoch: 4 }), -1, -1)
    expect(verdict).toMatchObject({ kind: 'write', next: { epoch: 6, lastEpoch: -1, state: 'Empty' } })
  })

  it('is given the next epoch when it names the present one, and the same again when it repeats', () => {
    const verdict = init(inState('CompleteAbort'), 7, epoch)
    if (verdict.kind !== 'write') throw new Error('nothing was written')
    expect(verdict.next).toMatchObject({ epoch: 6, lastEpoch: epoch })
    expect(init(verdict.next, 7, epoch)).toEqual({ kind: 'known' })
    expect(named(init(verdict.next, 7, epoch - 1))).toBe('PRODUCER_FENCED')
    expect(named(init(verdict.next, 3, epoch + 1))).toBe('PRODUCER_FENCED')
  })

  it('fences an open transaction first, whatever epoch it names', () => {
    expect(init(inState('Ongoing'), -1, -1)).toMatchObject({ kind: 'fence', next: { state: 'PrepareAbort', epoch: 6 } })
    expect(init(inState('Ongoing'), 7, 2)).toMatchObject({ kind: 'fence', next: { state: 'PrepareAbort', epoch: 6 } })
    expect(named(init(inState('Ongoing'), 3, epoch))).toBe('PRODUCER_FENCED')
  })

  it('waits for markers and for a write that is pending', () => {
    for (const state of ['PrepareCommit', 'PrepareAbort'] as const) {
      expect(named(init(inState(state), -1, -1))).toBe('CONCURRENT_TRANSACTIONS')
    }
    expect(named(init(inState('Empty'), -1, -1, 2, true))).toBe('CONCURRENT_TRANSACTIONS')
  })

  it('is given another producer id when epochs are used up, also when it repeats', () => {
    const verdict = init(inState('Empty', { epoch: 32_766 }), 7, 32_766)
    if (verdict.kind !== 'write') throw new Error('nothing was written')
    expect(verdict.next).toMatchObject({ producerId: 8, previousProducerId: 7, epoch: 0, lastEpoch: 32_766 })
    expect(init(verdict.next, 7, 32_766)).toEqual({ kind: 'known' })
    expect(named(init(verdict.next, 7, 32_765))).toBe('PRODUCER_FENCED')
  })
})

describe('a transaction that took too long', () => {
  it('leaves its owner fenced below version 2, and able to go on from version 2', () => {
    const old = completed(fencedAndAborted(inState('Ongoing'), 1))
    const owner = { producerId: 7, epoch }
    const end = (transaction: Transaction, outcome: Outcome, version: 1 | 2) =>
      named(judgeEnd(transaction, false, { owner, outcome, version }, 1, () => 8))
    const again = (transaction: Transaction) =>
      named(judgeInit(transaction, false, { owner, timeoutMs: 1 }, 2, () => 8))
    expect(end(old, 'commit', 1)).toBe('PRODUCER_FENCED')
    expect(end(old, 'abort', 1)).toBe('PRODUCER_FENCED')
    expect(again(old)).toBe('PRODUCER_FENCED')

    const young = completed(fencedAndAborted(inState('Ongoing'), 2))
    expect(end(young, 'commit', 2)).toBe('INVALID_TXN_STATE')
    expect(end(young, 'abort', 2)).toBe('known')
    expect(again(young)).toBe('known')
  })
})

describe('what joins a transaction', () => {
  const owner = { producerId: 7, epoch }

  it('is refused to others, and while the last one is ended', () => {
    const add = (transaction: Transaction | undefined, isPending = false, of = owner) =>
      named(judgeAdd(transaction, isPending, of, [partition], 9))
    expect(add(undefined)).toBe('INVALID_PRODUCER_ID_MAPPING')
    expect(add(inState('Empty'), true)).toBe('CONCURRENT_TRANSACTIONS')
    expect(add(inState('Empty'), false, { producerId: 3, epoch })).toBe('INVALID_PRODUCER_ID_MAPPING')
    expect(add(inState('Empty'), false, { producerId: 7, epoch: 4 })).toBe('PRODUCER_FENCED')
    expect(add(inState('PrepareCommit'))).toBe('CONCURRENT_TRANSACTIONS')
    expect(add(inState('Ongoing'))).toBe('known')
  })

  it('starts the time of the transaction when it is the first', () => {
    const offsets: Participant = { kind: 'offsets', groupId: 'g' }
    const first = judgeAdd(inState('CompleteCommit', { startedAt: 3 }), false, owner, [partition], 9)
    if (first.kind !== 'write') throw new Error('nothing was written')
    expect(first.next).toMatchObject({ state: 'Ongoing', startedAt: 9 })
    const second = judgeAdd(first.next, false, owner, [offsets], 12)
    if (second.kind !== 'write') throw new Error('nothing was written')
    expect(second.next.startedAt).toBe(9)
    expect([...second.next.participants.values()]).toEqual([partition, offsets])
  })

  it('is told to a leader that asks', () => {
    expect(judgeMembership(inState('Ongoing'), owner, partition)).toBe(brokerCode.NONE)
    expect(judgeMembership(inState('Empty'), owner, partition)).toBe(brokerCode.TRANSACTION_ABORTABLE)
    expect(judgeMembership(inState('Ongoing'), { ...owner, epoch: 4 }, partition)).toBe(brokerCode.PRODUCER_FENCED)
    expect(judgeMembership(inState('PrepareAbort'), owner, partition)).toBe(brokerCode.CONCURRENT_TRANSACTIONS)
  })
})
