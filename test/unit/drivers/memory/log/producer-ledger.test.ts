import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import { ProducerLedger } from '../../../../../src/drivers/memory/log/producer-ledger.js'

const batch = (baseSequence: number, recordCount = 1, producerEpoch = 0) => ({
  producerId: 5,
  producerEpoch,
  baseSequence,
  recordCount,
})
const refused = (errorCode: number) => ({ verdict: 'refuse', errorCode })

/** A ledger that has stored batches of one record with the sequences 0 … count - 1 at offset 100 + sequence. */
function ledgerWith(count: number): ProducerLedger {
  const ledger = new ProducerLedger()
  for (let sequence = 0; sequence < count; sequence += 1) ledger.note(batch(sequence), 100 + sequence)
  return ledger
}

describe('producer ledger', () => {
  it('answers a repeat of each of the last five batches with its first offset', () => {
    const ledger = ledgerWith(7)
    for (let sequence = 2; sequence < 7; sequence += 1) {
      expect(ledger.judge(batch(sequence))).toEqual({ verdict: 'duplicate', baseOffset: 100 + sequence })
    }
    expect(ledger.judge(batch(1))).toEqual(refused(brokerCode.OUT_OF_ORDER_SEQUENCE_NUMBER))
  })

  it('takes a batch for a repeat only when its last sequence is the same too', () => {
    expect(ledgerWith(3).judge(batch(2, 2))).toEqual(refused(brokerCode.OUT_OF_ORDER_SEQUENCE_NUMBER))
  })

  it('refuses a gap', () => {
    expect(ledgerWith(3).judge(batch(4))).toEqual(refused(brokerCode.OUT_OF_ORDER_SEQUENCE_NUMBER))
    expect(ledgerWith(3).judge(batch(3))).toEqual({ verdict: 'append' })
  })

  it('refuses an older epoch, also for a sequence that was stored', () => {
    const ledger = ledgerWith(2)
    ledger.note(batch(0, 1, 1), 200)
    expect(ledger.judge(batch(1))).toEqual(refused(brokerCode.INVALID_PRODUCER_EPOCH))
    expect(ledger.judge(batch(2))).toEqual(refused(brokerCode.INVALID_PRODUCER_EPOCH))
  })

  it('starts a newer epoch at sequence 0 only', () => {
    expect(ledgerWith(2).judge(batch(2, 1, 1))).toEqual(refused(brokerCode.OUT_OF_ORDER_SEQUENCE_NUMBER))
    expect(ledgerWith(2).judge(batch(0, 1, 1))).toEqual({ verdict: 'append' })
  })

  it('lets a producer it does not know start anywhere', () => {
    expect(new ProducerLedger().judge(batch(17))).toEqual({ verdict: 'append' })
  })

  it('wraps sequences at 2^31', () => {
    const ledger = new ProducerLedger()
    ledger.note(batch(2 ** 31 - 2, 3), 0)
    expect(ledger.judge(batch(1))).toEqual({ verdict: 'append' })
    expect(ledger.judge(batch(2 ** 31 - 2, 3))).toEqual({ verdict: 'duplicate', baseOffset: 0 })
    const atEnd = new ProducerLedger()
    atEnd.note(batch(2 ** 31 - 1), 0)
    expect(atEnd.judge(batch(0))).toEqual({ verdict: 'append' })
  })
})
