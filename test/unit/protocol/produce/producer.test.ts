import { describe, expect, test } from 'vitest'
import { brokerCode, type BrokerCodeName } from '../../../../src/connection/broker-error.js'
import { RequestError } from '../../../../src/connection/request-error.js'
import type { BatchOutcome } from '../../../../src/driver/producer.js'
import { FencedError } from '../../../../src/errors.js'
import { ap, batch, stampOf, stamps, startScript, type Script } from './producer-script.js'

const second = 1_000
/** Longer than the first delays between attempts. */
const afterBackoff = 100

async function outcomeOf(script: Script, produced: Promise<BatchOutcome>): Promise<BatchOutcome> {
  return script.clock.runUntil(produced)
}

function send(script: Script, partition = 0, records = 1, withinMs = 60 * second): Promise<BatchOutcome> {
  return script.producer.produce(batch(partition, records), script.clock.now() + withinMs)
}

describe('sequences', () => {
  test('a stored batch moves the sequence by its record count', async () => {
    const script = await startScript()
    for (const [records, baseOffset] of [
      [3, 0],
      [2, 3],
      [1, 5],
    ] as const) {
      const sent = send(script, 0, records)
      await script.run()
      script.connection.last.answerAll({ baseOffset })
      expect(await outcomeOf(script, sent)).toEqual({ outcome: 'stored', baseOffset, logAppendTime: null })
    }
    expect(stamps(script.connection)).toEqual([
      [100, 0, 0],
      [100, 0, 3],
      [100, 0, 5],
    ])
  })

  test('partitions count their sequences apart under one producer id that was asked for once', async () => {
    const script = await startScript()
    const both = Promise.all([send(script, 0, 2), send(script, 2, 5)])
    await script.run()
    for (const open of script.connection.produced) open.answerAll({})
    await script.clock.runUntil(both)
    void send(script, 0)
    void send(script, 2)
    await script.run()
    expect(stamps(script.connection).slice(2)).toEqual([
      [100, 0, 2],
      [100, 0, 5],
    ])
    expect(script.connection.initCalls).toBe(1)
  })

  test('a batch keeps its id, epoch and sequence over lost answers, dead connections and a leader move', async () => {
    const script = await startScript()
    const sent = send(script)
    await script.run()
    script.connection.last.fail('connection-lost', 'maybe')
    await script.run(afterBackoff)
    script.connection.last.answerAll({ errorCode: brokerCode.REQUEST_TIMED_OUT })
    await script.run(afterBackoff)
    script.connection.leaders = [2, 1, 2]
    script.connection.last.answerAll({ errorCode: brokerCode.NOT_LEADER_OR_FOLLOWER })
    await script.run(2 * afterBackoff)
    expect(script.connection.produced.map(({ node }) => node)).toEqual([1, 1, 1, 2])
    expect(new Set(stamps(script.connection).map(String)).size).toBe(1)
    script.connection.last.answerAll({ baseOffset: 7 })
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'stored', baseOffset: 7 })
  })

  test('a batch that is certainly not stored gives its sequence to the next one', async () => {
    const script = await startScript()
    const tooLarge = send(script, 0, 4)
    await script.run()
    script.connection.last.answerAll({ errorCode: brokerCode.MESSAGE_TOO_LARGE })
    expect(await outcomeOf(script, tooLarge)).toMatchObject({
      outcome: 'not-stored',
      error: { code: 'message-too-large' },
    })
    void send(script, 0)
    await script.run()
    expect(stampOf(script.connection.last.request.batches[0])).toEqual([100, 0, 0])
  })
})

describe('outcomes', () => {
  test('a batch whose request is out at its deadline is unknown, at the deadline', async () => {
    const script = await startScript()
    const start = script.clock.now()
    const sent = send(script, 0, 1, 2 * second)
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'unknown', error: { code: 'delivery-timeout' } })
    expect(script.clock.now() - start).toBe(2 * second)
  })

  test('a batch that was never written until its deadline is not stored', async () => {
    const script = await startScript()
    const sent = send(script, 0, 1, 10 * second)
    for (let turn = 0; turn < 400 && script.clock.pendingTimers > 0; turn += 1) {
      await script.run(25)
      if (script.connection.produced.length > 0) script.connection.last.fail('cannot-connect', 'never')
    }
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'not-stored', error: { code: 'delivery-timeout' } })
    expect(script.connection.produced.length).toBeGreaterThan(10)
  })

  test('one lost answer makes a batch unknown, whatever refusals come after it', async () => {
    const script = await startScript()
    const sent = send(script)
    await script.run()
    script.connection.last.fail('connection-lost', 'maybe')
    await script.run(afterBackoff)
    script.connection.last.answerAll({ errorCode: brokerCode.NOT_ENOUGH_REPLICAS })
    await script.run(afterBackoff)
    script.connection.last.answerAll({ errorCode: brokerCode.MESSAGE_TOO_LARGE })
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'unknown', error: { code: 'message-too-large' } })
  })

  test('a lost answer is forgotten once a repeat learns that the batch is stored', async () => {
    const script = await startScript()
    const sent = send(script)
    await script.run()
    script.connection.last.fail('timed-out', 'maybe')
    await script.run(afterBackoff)
    script.connection.last.answerAll({ baseOffset: 4, logAppendTime: 99 })
    expect(await outcomeOf(script, sent)).toEqual({ outcome: 'stored', baseOffset: 4, logAppendTime: 99 })
  })

  test('DUPLICATE_SEQUENCE after a lost answer is stored at an unknown offset, and moves the sequence', async () => {
    const script = await startScript()
    const sent = send(script, 0, 3)
    await script.run()
    script.connection.last.fail('connection-lost', 'maybe')
    await script.run(afterBackoff)
    script.connection.last.answerAll({ errorCode: brokerCode.DUPLICATE_SEQUENCE_NUMBER })
    expect(await outcomeOf(script, sent)).toEqual({ outcome: 'stored', baseOffset: null, logAppendTime: null })
    void send(script)
    await script.run()
    expect(stampOf(script.connection.last.request.batches[0])).toEqual([100, 0, 3])
  })

  test('DUPLICATE_SEQUENCE for a batch that no attempt can have stored is not believed: it is sent under a new epoch', async () => {
    const script = await startScript()
    const sent = send(script)
    await script.run()
    script.connection.last.answerAll({ errorCode: brokerCode.DUPLICATE_SEQUENCE_NUMBER })
    await script.run(afterBackoff)
    expect(stampOf(script.connection.last.request.batches[0])).toEqual([100, 1, 0])
    script.connection.last.answerAll({ baseOffset: 12 })
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'stored', baseOffset: 12 })
  })

  test('a partition missing from the answer is in doubt and sent again; the others of the request are stored', async () => {
    const script = await startScript()
    const left = send(script, 0)
    const right = send(script, 1)
    await script.run()
    const [first] = script.connection.produced
    expect(first?.request.batches.map(({ partition }) => partition)).toEqual([0, 1])
    const only = {
      topic: 't',
      partition: 1,
      errorCode: 0,
      baseOffset: 5,
      logAppendTime: -1,
      logStartOffset: 0,
      recordErrors: [],
      errorMessage: null,
    }
    first?.answer({ throttleTimeMs: 0, partitions: [only] })
    expect(await outcomeOf(script, right)).toMatchObject({ outcome: 'stored', baseOffset: 5 })
    await script.run(afterBackoff)
    expect(script.connection.last.request.batches.map(stampOf)).toEqual([[100, 0, 0]])
    expect(script.connection.last.request.batches[0]?.partition).toBe(0)
    script.connection.last.answerAll({ errorCode: brokerCode.MESSAGE_TOO_LARGE })
    expect(await outcomeOf(script, left)).toMatchObject({ outcome: 'unknown' })
  })

  test('answers are matched by partition, in whatever order they come', async () => {
    const script = await startScript()
    const left = send(script, 0)
    const right = send(script, 1)
    await script.run()
    const part = (partition: number, errorCode: number, baseOffset: number) => ({
      ...{
        topic: 't',
        partition,
        errorCode,
        baseOffset,
        logAppendTime: -1,
        logStartOffset: 0,
        recordErrors: [],
        errorMessage: null,
      },
    })
    script.connection.last.answer({
      throttleTimeMs: 0,
      partitions: [part(1, 0, 20), part(0, brokerCode.INVALID_RECORD, -1)],
    })
    expect(await outcomeOf(script, left)).toMatchObject({ outcome: 'not-stored', error: { code: 'invalid-record' } })
    expect(await outcomeOf(script, right)).toMatchObject({ outcome: 'stored', baseOffset: 20 })
  })

  test.each<[BrokerCodeName, 'not-stored' | 'unknown']>([
    ['MESSAGE_TOO_LARGE', 'not-stored'],
    ['RECORD_LIST_TOO_LARGE', 'not-stored'],
    ['INVALID_RECORD', 'not-stored'],
    ['INVALID_REQUIRED_ACKS', 'not-stored'],
    ['TOPIC_AUTHORIZATION_FAILED', 'not-stored'],
    ['CLUSTER_AUTHORIZATION_FAILED', 'not-stored'],
  ])('%s ends a batch at once, %s', async (name, outcome) => {
    const script = await startScript()
    const sent = send(script)
    await script.run()
    script.connection.last.answerAll({ errorCode: brokerCode[name] })
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome, error: { brokerCode: brokerCode[name] } })
    expect(script.connection.produced).toHaveLength(1)
  })

  test.each<[BrokerCodeName, 'not-stored' | 'unknown']>([
    ['NOT_ENOUGH_REPLICAS', 'not-stored'],
    ['CORRUPT_MESSAGE', 'not-stored'],
    ['THROTTLING_QUOTA_EXCEEDED', 'not-stored'],
    ['NOT_LEADER_OR_FOLLOWER', 'unknown'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'not-stored'],
    ['UNKNOWN_SERVER_ERROR', 'unknown'],
    ['LOG_DIR_NOT_FOUND', 'unknown'],
    ['KAFKA_STORAGE_ERROR', 'unknown'],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'unknown'],
    ['REQUEST_TIMED_OUT', 'unknown'],
  ])('%s until the deadline is retried all the time and ends %s', async (name, outcome) => {
    const script = await startScript()
    const sent = send(script, 0, 1, 10 * second)
    for (let turn = 0; turn < 399; turn += 1) {
      await script.run(25)
      script.connection.last.answerAll({ errorCode: brokerCode[name] })
    }
    await script.run()
    expect(script.connection.produced.length).toBeGreaterThanOrEqual(10)
    await script.run(25)
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome, error: { code: 'delivery-timeout' } })
    expect(script.metrics.total('tidemark_producer_retries_total')).toBe(script.connection.produced.length)
  })
})

describe('epochs', () => {
  test('after a batch that died in doubt its partition goes on with the same id, the epoch raised, sequence 0; others go on undisturbed', async () => {
    const script = await startScript()
    const dying = send(script, 0, 2, second)
    const other = send(script, 1, 2, second)
    await script.run()
    const first = script.connection.last
    first.answer({
      throttleTimeMs: 0,
      partitions: [
        {
          topic: 't',
          partition: 1,
          errorCode: 0,
          baseOffset: 0,
          logAppendTime: -1,
          logStartOffset: 0,
          recordErrors: [],
          errorMessage: null,
        },
      ],
    })
    expect(await outcomeOf(script, other)).toMatchObject({ outcome: 'stored' })
    expect(await outcomeOf(script, dying)).toMatchObject({ outcome: 'unknown' })
    void send(script, 0)
    void send(script, 1)
    await script.run()
    expect(script.connection.last.request.batches.map(stampOf)).toEqual([
      [100, 1, 0],
      [100, 0, 2],
    ])
    expect(script.connection.initCalls).toBe(1)
    expect(script.metrics.total('tidemark_producer_epoch_bumps_total')).toBe(1)
  })

  test('the answer of a batch that was reported unknown changes nothing any more', async () => {
    const script = await startScript()
    const dying = send(script, 0, 2, second)
    await script.run()
    const straggler = script.connection.last
    await outcomeOf(script, dying)
    const next = send(script)
    await script.run()
    straggler.answerAll({ baseOffset: 0 })
    await script.run()
    expect(stampOf(script.connection.last.request.batches[0])).toEqual([100, 1, 0])
    script.connection.last.answerAll({ baseOffset: 2 })
    await outcomeOf(script, next)
    void send(script)
    await script.run()
    expect(stampOf(script.connection.last.request.batches[0])).toEqual([100, 1, 1])
  })

  test('a batch refused for good after a lost answer raises the epoch, for the first attempt may still land', async () => {
    const script = await startScript()
    const sent = send(script)
    await script.run()
    script.connection.last.fail('connection-lost', 'maybe')
    await script.run(afterBackoff)
    script.connection.last.answerAll({ errorCode: brokerCode.MESSAGE_TOO_LARGE })
    await outcomeOf(script, sent)
    void send(script)
    await script.run()
    expect(stampOf(script.connection.last.request.batches[0])).toEqual([100, 1, 0])
  })

  test.each<BrokerCodeName>(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID'])(
    '%s for a batch that was never in doubt: the broker lost its state, the batch goes out under a raised epoch',
    async (name) => {
      const script = await startScript()
      const sent = send(script, 0, 2)
      await script.run()
      script.connection.last.answerAll({ errorCode: brokerCode[name] })
      await script.run(afterBackoff)
      expect(stampOf(script.connection.last.request.batches[0])).toEqual([100, 1, 0])
      script.connection.last.answerAll({ baseOffset: 0 })
      expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'stored' })
      expect(script.metrics.total('tidemark_producer_epoch_bumps_total')).toBe(1)
    },
  )

  test('OUT_OF_ORDER_SEQUENCE for a batch in doubt is unknown, and raises the epoch', async () => {
    const script = await startScript()
    const sent = send(script)
    await script.run()
    script.connection.last.fail('connection-lost', 'maybe')
    await script.run(afterBackoff)
    script.connection.last.answerAll({ errorCode: brokerCode.OUT_OF_ORDER_SEQUENCE_NUMBER })
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'unknown' })
    void send(script)
    await script.run()
    expect(stampOf(script.connection.last.request.batches[0])).toEqual([100, 1, 0])
  })

  test('an id near its last epoch is given up once nothing of the partition is in doubt; others keep it', async () => {
    const script = await startScript()
    script.connection.initAnswer = () => ({ producerEpoch: script.connection.initCalls === 1 ? 31_767 : 0 })
    const dying = send(script, 0, 1, second)
    const other = send(script, 2, 1, 30 * second)
    await script.run()
    script.connection.last.answerAll({})
    await outcomeOf(script, other)
    await outcomeOf(script, dying)
    for (const partition of [0, 0, 2]) {
      const sent = send(script, partition)
      await script.run()
      script.connection.last.answerAll({})
      await outcomeOf(script, sent)
    }
    const latest = script.connection.produced.slice(-3).flatMap(({ request }) => request.batches)
    expect(latest.map((sent) => [sent.partition, ...stampOf(sent)])).toEqual([
      [0, 100, 31_768, 0],
      [0, 200, 0, 0],
      [2, 100, 31_767, 1],
    ])
  })

  test('a fenced batch fails with FencedError, and the partition goes on under a new id', async () => {
    const script = await startScript()
    const sent = send(script)
    await script.run()
    script.connection.last.answerAll({ errorCode: brokerCode.INVALID_PRODUCER_EPOCH })
    const outcome = await outcomeOf(script, sent)
    expect(outcome).toMatchObject({ outcome: 'not-stored', error: { code: 'invalid-producer-epoch' } })
    expect('error' in outcome && outcome.error).toBeInstanceOf(FencedError)
    void send(script)
    await script.run()
    expect(stampOf(script.connection.last.request.batches[0])).toEqual([200, 0, 0])
  })
})

describe('producer id', () => {
  test('a batch that gets no producer id until its deadline is not stored', async () => {
    const script = await startScript()
    script.connection.initAnswer = () => ({ errorCode: brokerCode.COORDINATOR_LOAD_IN_PROGRESS })
    const sent = send(script, 0, 1, 5 * second)
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'not-stored', error: { code: 'delivery-timeout' } })
    expect(script.connection.initCalls).toBeGreaterThan(5)
    expect(script.connection.produced).toHaveLength(0)
    await script.clock.runUntilIdle({ limitMs: 10 * second }).catch(() => undefined)
    const asked = script.connection.initCalls
    await script.run(10 * second)
    expect(script.connection.initCalls).toBe(asked)
  })

  test('all partitions wait for one and the same request', async () => {
    const script = await startScript()
    let refusals = 3
    script.connection.initAnswer = () => ({ errorCode: (refusals -= 1) >= 0 ? brokerCode.NOT_COORDINATOR : 0 })
    for (const partition of [0, 1, 2]) void send(script, partition)
    await script.run(2 * second)
    expect(script.connection.initCalls).toBe(4)
    expect(stamps(script.connection)).toEqual([
      [400, 0, 0],
      [400, 0, 0],
      [400, 0, 0],
    ])
  })

  test('no permission for a producer id fails at once, not stored', async () => {
    const script = await startScript()
    script.connection.initAnswer = () => ({ errorCode: brokerCode.CLUSTER_AUTHORIZATION_FAILED })
    const sent = send(script)
    await script.run()
    expect(await outcomeOf(script, sent)).toMatchObject({
      outcome: 'not-stored',
      error: { code: 'cluster-authorization-failed' },
    })
  })

  test('a cluster without producer ids: the error names the way out', async () => {
    const ways = [
      (script: Script) => (script.connection.initAnswer = () => ({ errorCode: brokerCode.UNSUPPORTED_VERSION })),
      (script: Script) =>
        (script.connection.initAnswer = () => new RequestError('unsupported', 'never', 'the broker does not offer it')),
    ]
    for (const refuse of ways) {
      const script = await startScript()
      refuse(script)
      const sent = send(script)
      await script.run(1_000)
      const outcome = await outcomeOf(script, sent)
      expect(outcome).toMatchObject({ outcome: 'not-stored' })
      expect(outcome).toHaveProperty('error.message', expect.stringContaining("do without idempotence: profile 'ap'"))
    }
  })
})

describe('brokers', () => {
  test('partitions of one leader share a request, those of another leader have their own', async () => {
    const script = await startScript()
    for (const partition of [0, 1, 2]) void send(script, partition)
    await script.run()
    const seen = script.connection.produced.map(({ node, request }) => [
      node,
      ...request.batches.map((sent) => sent.partition),
    ])
    expect(seen).toEqual([
      [1, 0, 1],
      [2, 2],
    ])
  })

  test('a request is no larger than maxRequestBytes, and one batch always fits', async () => {
    const script = await startScript({ maxRequestBytes: 250 })
    script.connection.leaders = [1, 1, 1, 1]
    await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + second))
    const deadline = script.clock.now() + second
    for (const partition of [0, 1, 2]) void script.producer.produce(batch(partition, 1, 120), deadline)
    void script.producer.produce(batch(3, 1, 999), deadline)
    await script.run()
    expect(script.connection.produced.map(({ request }) => request.batches.map((sent) => sent.partition))).toEqual([
      [0, 1],
      [2],
      [3],
    ])
  })

  test('a silent broker delays no partition led by another', async () => {
    const script = await startScript()
    const stuck = send(script, 0, 1, 20 * second)
    await script.run()
    for (let round = 0; round < 10; round += 1) {
      const start = script.clock.now()
      const sent = send(script, 2)
      await script.run()
      script.connection.last.answerAll({ baseOffset: round })
      expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'stored', baseOffset: round })
      expect(script.clock.now()).toBe(start)
    }
    expect(await outcomeOf(script, stuck)).toMatchObject({ outcome: 'unknown' })
  })

  test('a partition that backs off is in no request, and does not hold up its neighbours', async () => {
    const script = await startScript()
    void send(script, 0)
    await script.run()
    script.connection.last.answerAll({ errorCode: brokerCode.NOT_ENOUGH_REPLICAS })
    await script.run()
    const neighbour = send(script, 1)
    await script.run()
    expect(script.connection.last.request.batches.map(({ partition }) => partition)).toEqual([1])
    script.connection.last.answerAll({})
    expect(await outcomeOf(script, neighbour)).toMatchObject({ outcome: 'stored' })
  })

  test('a batch that the connection refuses to write does not end the others in its request', async () => {
    const script = await startScript()
    const bad = send(script, 0)
    const good = send(script, 1)
    await script.run()
    script.connection.last.fail('refused', 'never')
    await script.run()
    const [, alone, neighbour] = script.connection.produced
    alone?.fail('refused', 'never')
    neighbour?.answerAll({ baseOffset: 8 })
    expect(await outcomeOf(script, bad)).toMatchObject({ outcome: 'not-stored', error: { code: 'refused' } })
    expect(await outcomeOf(script, good)).toMatchObject({ outcome: 'stored', baseOffset: 8 })
    expect(script.connection.produced).toHaveLength(3)
  })

  test('a few requests are out to a broker at a time; the next goes with the first answer', async () => {
    const script = await startScript()
    script.connection.leaders = [1, 1, 1, 1, 1, 1]
    await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + second))
    for (const partition of [0, 1, 2, 3, 4, 5]) {
      void send(script, partition)
      await script.run()
    }
    expect(script.connection.produced).toHaveLength(4)
    script.connection.produced[2]?.answerAll({})
    await script.run()
    expect(script.connection.produced).toHaveLength(5)
    expect(script.connection.last.request.batches.map(({ partition }) => partition)).toEqual([4, 5])
  })

  test('batches that wait for a broker move on when another takes over their partition', async () => {
    const script = await startScript()
    script.connection.leaders = [1, 1, 1, 1, 1, 1]
    await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + second))
    for (const partition of [0, 1, 2, 3]) {
      void send(script, partition)
      await script.run()
    }
    const waiting = send(script, 4)
    await script.run()
    expect(script.connection.produced).toHaveLength(4)
    script.connection.leaders = [1, 1, 1, 1, 2, 1]
    await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + second))
    expect(script.connection.last.node).toBe(2)
    expect(script.connection.last.request.batches.map(({ partition }) => partition)).toEqual([4])
    script.connection.last.answerAll({})
    expect(await outcomeOf(script, waiting)).toMatchObject({ outcome: 'stored' })
  })

  test('without a leader a batch waits for metadata that names one', async () => {
    const script = await startScript()
    script.connection.leaders = [-1, 1, 2]
    await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + second))
    const sent = send(script)
    await script.run(40 * second)
    expect(script.connection.produced).toHaveLength(0)
    script.connection.leaders = [2, 1, 2]
    await script.run(2 * second)
    expect(script.connection.last.node).toBe(2)
    script.connection.last.answerAll({})
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'stored' })
  })

  test('a broker that asked for silence, or that bytes are still going out to, is not silent, and one that stops is', async () => {
    const script = await startScript(ap)
    const sent = script.producer.produce(batch(0), script.clock.now() + 60_000)
    await script.run()
    script.connection.sign = script.clock.now() + 20_000 // a quota
    await script.run(24_999)
    expect(script.connection.produced).toHaveLength(1)
    script.connection.sign = script.clock.now() // another piece of it went out
    await script.run(4_999)
    expect(script.connection.produced).toHaveLength(1)
    await script.run(3_000)
    expect(script.connection.produced).toHaveLength(2)
    script.connection.last.answerAll({ baseOffset: 5 })
    expect(await script.clock.runUntil(sent)).toMatchObject({ outcome: 'stored' })
  })

  test('a broker that is silent for the request timeout is asked again, and its own limit lies before that', async () => {
    const script = await startScript()
    void send(script)
    await script.run()
    expect(script.connection.last.request.timeoutMs).toBe(4_500)
    await script.run(4_999)
    expect(script.connection.produced).toHaveLength(1)
    await script.run(afterBackoff)
    expect(script.connection.produced).toHaveLength(2)
    expect(script.metrics.labelled.get('tidemark_producer_retries_total t timed-out')).toBe(1)
  })

  test('a request that waits for the one before it is not given up while the broker answers', async () => {
    const script = await startScript()
    const first = send(script, 0)
    await script.run()
    const behind = send(script, 1)
    await script.run(4_500)
    // Parked for its replicas until the broker's own limit; only now the broker takes up the other.
    script.connection.produced[0]!.answerAll({ errorCode: brokerCode.REQUEST_TIMED_OUT })
    await script.run(4_000)
    script.connection.produced[1]!.answerAll({ baseOffset: 7 })
    expect(await outcomeOf(script, behind)).toMatchObject({ outcome: 'stored', baseOffset: 7 })
    script.connection.last.answerAll({ baseOffset: 3 })
    expect(await outcomeOf(script, first)).toMatchObject({ outcome: 'stored', baseOffset: 3 })
    expect(script.connection.produced).toHaveLength(3)
  })

  test('a batch at its deadline does not take the socket from requests behind it', async () => {
    const script = await startScript()
    const short = send(script, 0, 1, second)
    await script.run()
    const long = send(script, 1, 1, 30 * second)
    expect(await outcomeOf(script, short)).toMatchObject({ outcome: 'unknown' })
    await script.run(3 * second)
    expect(script.connection.produced).toHaveLength(2)
    script.connection.produced[1]!.answerAll({ baseOffset: 3 })
    expect(await outcomeOf(script, long)).toMatchObject({ outcome: 'stored', baseOffset: 3 })
  })

  test('a batch at its deadline does not take the socket from the others in its request', async () => {
    const script = await startScript()
    const short = send(script, 0, 1, second)
    const long = send(script, 1, 1, 30 * second)
    await script.run()
    expect(script.connection.produced).toHaveLength(1)
    expect(await outcomeOf(script, short)).toMatchObject({ outcome: 'unknown' })
    await script.run(second)
    expect(script.connection.produced).toHaveLength(1)
    script.connection.last.answerAll({ baseOffset: 3 })
    expect(await outcomeOf(script, long)).toMatchObject({ outcome: 'stored', baseOffset: 3 })
  })

  test('two brokers that both deny a partition are not asked in a tight loop', async () => {
    const script = await startScript()
    void send(script)
    let turn = 0
    for (let ms = 0; ms < 1_000; ms += 1) {
      await script.run(1)
      if (script.connection.produced.length === turn) continue
      turn = script.connection.produced.length
      script.connection.leaders = [turn % 2 === 0 ? 1 : 2, 1, 2]
      script.connection.last.answerAll({ errorCode: brokerCode.NOT_LEADER_OR_FOLLOWER })
    }
    expect(turn).toBeGreaterThan(5)
    expect(turn).toBeLessThan(70)
  })
})

describe('without idempotence', () => {
  test('batches carry no producer id, and none is asked for', async () => {
    const script = await startScript(ap)
    void send(script)
    await script.run()
    expect(stamps(script.connection)).toEqual([[-1, -1, -1]])
    expect(script.connection.initCalls).toBe(0)
  })

  test('a batch in doubt is sent again by default', async () => {
    const script = await startScript(ap)
    const sent = send(script)
    await script.run()
    script.connection.last.fail('connection-lost', 'maybe')
    await script.run(afterBackoff)
    script.connection.last.answerAll({ baseOffset: 1 })
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'stored', baseOffset: 1 })
    expect(script.connection.produced).toHaveLength(2)
  })

  test('with retryInDoubt off a batch in doubt is unknown at once, and one that was never written is retried', async () => {
    const script = await startScript({ ...ap, retryInDoubt: false })
    const sent = send(script)
    await script.run()
    script.connection.last.fail('cannot-connect', 'never')
    await script.run(afterBackoff)
    expect(script.connection.produced).toHaveLength(2)
    script.connection.last.fail('connection-lost', 'maybe')
    await script.run()
    expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'unknown', error: { code: 'connection-lost' } })
  })

  test('acks 0 is stored at an unknown offset once the request was written', async () => {
    const script = await startScript({ ...ap, acks: 0 })
    const sent = send(script)
    await script.run()
    script.connection.last.answer({ throttleTimeMs: 0, partitions: [] })
    expect(await outcomeOf(script, sent)).toEqual({ outcome: 'stored', baseOffset: null, logAppendTime: null })
  })
})

describe('offsets', () => {
  test('an offset that goes back is a warning and a counter, never an error on a stored record', async () => {
    const script = await startScript()
    for (const baseOffset of [10, 11, 3]) {
      const sent = send(script)
      await script.run()
      script.connection.last.answerAll({ baseOffset })
      expect(await outcomeOf(script, sent)).toMatchObject({ outcome: 'stored', baseOffset })
    }
    expect(script.metrics.total('tidemark_producer_offset_regressions_total')).toBe(1)
    expect(script.warnings).toHaveLength(1)
  })
})

describe('topics', () => {
  test('a topic that every answer denies is unknown after two seconds, and the error says what to do', async () => {
    const script = await startScript()
    script.connection.metadataErrorCode = brokerCode.UNKNOWN_TOPIC_OR_PARTITION
    const start = script.clock.now()
    const loaded = script.producer.loadTopic('t', start + 60 * second)
    await expect(script.clock.runUntil(loaded)).rejects.toMatchObject({
      code: 'unknown-topic',
      message: expect.stringContaining('ensureTopics') as string,
    })
    expect(script.clock.now() - start).toBeLessThan(4 * second)
    expect(script.connection.metadataCalls).toBeGreaterThan(2)
  })

  test('a topic that was created a moment ago is found', async () => {
    const script = await startScript()
    script.connection.metadataErrorCode = brokerCode.UNKNOWN_TOPIC_OR_PARTITION
    const loaded = script.producer.loadTopic('t', script.clock.now() + 60 * second)
    await script.run(second)
    script.connection.metadataErrorCode = 0
    expect(await script.clock.runUntil(loaded)).toBe(3)
  })

  test('partitions that were added are seen', async () => {
    const script = await startScript()
    expect(script.producer.partitionCount('t')).toBe(3)
    script.connection.leaders = [1, 1, 2, 2]
    await script.run(301 * second)
    expect(script.producer.partitionCount('t')).toBe(4)
  })
})

describe('close', () => {
  test('what was never sent is not stored, what is out is unknown, and no timer is left', async () => {
    const script = await startScript()
    const out = send(script, 0)
    await script.run()
    script.connection.leaders = [1, 1, -1]
    await script.clock.runUntil(script.producer.loadTopic('t', script.clock.now() + second))
    const waiting = send(script, 2)
    const backingOff = send(script, 1)
    await script.run()
    script.connection.last.fail('cannot-connect', 'never')
    await script.run()
    await script.clock.runUntil(script.producer.close())
    expect(await out).toMatchObject({ outcome: 'unknown', error: { code: 'closed' } })
    expect(await waiting).toMatchObject({ outcome: 'not-stored', error: { code: 'closed' } })
    expect(await backingOff).toMatchObject({ outcome: 'not-stored' })
    expect(await script.producer.produce(batch(0), script.clock.now() + second)).toMatchObject({
      outcome: 'not-stored',
    })
    expect(script.clock.pendingTimers).toBe(0)
  })
})
