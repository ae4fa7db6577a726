import { describe, expect, test } from 'vitest'
import { brokerCode, type BrokerCodeName } from '../../../../src/connection/broker-error.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import { produceCode } from '../../../../src/protocol/produce/codes.js'
import { decide, mayHaveAppended, type AttemptEnd } from '../../../../src/protocol/produce/decision.js'

const place = { topic: 't', partition: 0 }
const answered = (errorCode: number): AttemptEnd => ({
  kind: 'answered',
  answer: {
    ...place,
    errorCode,
    baseOffset: -1,
    logAppendTime: -1,
    logStartOffset: 0,
    recordErrors: [],
    errorMessage: null,
  },
})
const failed = (failure: RequestError['failure'], sent: 'never' | 'maybe'): AttemptEnd => ({
  kind: 'failed',
  error: new RequestError(failure, sent, failure),
})
const idempotent = { idempotent: true, retryInDoubt: true }

describe('what an attempt may have put into the log', () => {
  test.each<BrokerCodeName>([
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'KAFKA_STORAGE_ERROR',
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'REQUEST_TIMED_OUT',
    'UNKNOWN_SERVER_ERROR',
  ])('%s: maybe', (name) => {
    expect(mayHaveAppended(answered(brokerCode[name]))).toBe(true)
  })

  test('no code is certain to have stored nothing unless the table says so', () => {
    const listed = new Set<BrokerCodeName>([
      'DUPLICATE_SEQUENCE_NUMBER',
      'NOT_ENOUGH_REPLICAS',
      'CORRUPT_MESSAGE',
      'THROTTLING_QUOTA_EXCEEDED',
      'CONCURRENT_TRANSACTIONS',
      'MESSAGE_TOO_LARGE',
      'RECORD_LIST_TOO_LARGE',
      'INVALID_RECORD',
      'INVALID_TIMESTAMP',
      'INVALID_TOPIC_EXCEPTION',
      'INVALID_REQUIRED_ACKS',
      'INVALID_REQUEST',
      'POLICY_VIOLATION',
      'UNSUPPORTED_VERSION',
      'UNSUPPORTED_FOR_MESSAGE_FORMAT',
      'UNSUPPORTED_COMPRESSION_TYPE',
      'TOPIC_AUTHORIZATION_FAILED',
      'CLUSTER_AUTHORIZATION_FAILED',
      'ILLEGAL_SASL_STATE',
      'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
      'SECURITY_DISABLED',
      'INVALID_TXN_STATE',
      'TRANSACTION_ABORTABLE',
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      'UNKNOWN_PRODUCER_ID',
      'INVALID_PRODUCER_EPOCH',
      'PRODUCER_FENCED',
      'INVALID_PRODUCER_ID_MAPPING',
      'TRANSACTION_COORDINATOR_FENCED',
    ])
    const names = Object.keys(brokerCode) as BrokerCodeName[]
    const never = names.filter((name) => produceCode(brokerCode[name]).appended === 'never')
    expect(new Set(never)).toEqual(listed)
  })

  test('a code that nobody knows may have stored the batch: it goes again as it was only where brokers drop repeats', () => {
    expect(produceCode(9_999)).toEqual({ action: 'unlisted', appended: 'maybe' })
    expect(decide(answered(9_999), false, idempotent, place)).toMatchObject({ next: 'send-again', identity: 'nothing' })
    const asItComes = { idempotent: false, retryInDoubt: true }
    expect(decide(answered(9_999), false, asItComes, place)).toMatchObject({ next: 'give-up', identity: 'doubt' })
  })

  test('a request that was never written cannot have stored anything; a lost one can', () => {
    expect(mayHaveAppended(failed('connection-lost', 'never'))).toBe(false)
    expect(mayHaveAppended(failed('connection-lost', 'maybe'))).toBe(true)
    expect(mayHaveAppended({ kind: 'missing' })).toBe(true)
  })
})

describe('what follows', () => {
  test.each([
    ['a lost connection', failed('connection-lost', 'maybe')],
    ['a time-out', failed('timed-out', 'maybe')],
    ['no connection', failed('cannot-connect', 'never')],
    ['an unreadable answer', failed('unreadable-answer', 'maybe')],
    ['a node nobody knows', failed('unknown-node', 'never')],
    ['an answer without the partition', { kind: 'missing' } as const],
  ])('%s: metadata is asked for and the batch is sent again as it was', (_, end) => {
    expect(decide(end, false, idempotent, place)).toMatchObject({
      next: 'send-again',
      refresh: true,
      identity: 'nothing',
    })
  })

  test.each(['refused', 'unsupported', 'closed', 'aborted'] as const)('%s: trying again is of no use', (failure) => {
    expect(decide(failed(failure, 'never'), false, idempotent, place)).toMatchObject({
      next: 'give-up',
      identity: 'nothing',
    })
  })

  test('a refusal after doubt gives up the epoch, a refusal without doubt keeps the sequence', () => {
    const refusal = answered(brokerCode.MESSAGE_TOO_LARGE)
    expect(decide(refusal, true, idempotent, place)).toMatchObject({ next: 'give-up', identity: 'doubt' })
    expect(decide(refusal, false, idempotent, place)).toMatchObject({ next: 'give-up', identity: 'nothing' })
  })

  test('an error names code, place and what to do', () => {
    const decision = decide(answered(brokerCode.NOT_ENOUGH_REPLICAS), false, idempotent, place)
    expect(decision).toMatchObject({
      problem: {
        code: 'not-enough-replicas',
        retriable: true,
        topic: 't',
        partition: 0,
        message: expect.stringContaining('min.insync.replicas') as string,
      },
    })
  })
})
