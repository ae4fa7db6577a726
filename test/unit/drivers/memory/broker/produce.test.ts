import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import { produceBatch, produceRequest, record, records, setUp } from '../fixture.js'

describe('producing to the memory cluster', () => {
  it('gives offsets in order and keeps bytes, headers, nulls and timestamps', async () => {
    const { cluster, produce } = await setUp()
    cluster.createTopic('t')
    await produce({ topic: 't', records: records('a', 'b') })
    const headers = [
      ['h', Buffer.from('1')],
      ['h', null],
    ] as const
    const answer = await produce({ topic: 't', records: [record('', { value: null, headers, timestamp: 77 })] })
    expect(answer).toMatchObject({ errorCode: 0, baseOffset: 2, logAppendTime: -1, logStartOffset: 0 })
    expect(cluster.records('t', 0)[2]).toMatchObject({ offset: 2, timestamp: 77, key: null, value: null, headers })
  })

  it('stores a repeated idempotent batch once and answers with its first offset', async () => {
    const { cluster, produce } = await setUp()
    cluster.createTopic('t')
    const batch = { topic: 't', producerId: 9, producerEpoch: 0, baseSequence: 0, records: records('a', 'b') }
    await produce(batch)
    await produce({ ...batch, baseSequence: 2 })
    expect(await produce(batch)).toMatchObject({ errorCode: 0, baseOffset: 0 })
    expect(cluster.records('t', 0)).toHaveLength(4)
    expect(await produce({ ...batch, baseSequence: 7 })).toMatchObject({
      errorCode: brokerCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    })
  })

  it('takes any sequence of a producer whose state expired', async () => {
    const { cluster, produce } = await setUp()
    cluster.createTopic('t')
    await produce({ topic: 't', producerId: 9, producerEpoch: 0, baseSequence: 0 })
    cluster.expireProducers('t', 0)
    expect(await produce({ topic: 't', producerId: 9, producerEpoch: 0, baseSequence: 55 })).toMatchObject({
      errorCode: 0,
    })
  })

  it.each([
    ['another broker than the leader', 1, {}, brokerCode.NOT_LEADER_OR_FOLLOWER],
    ['an unknown topic', 0, { topic: 'nope' }, brokerCode.UNKNOWN_TOPIC_OR_PARTITION],
    ['an unknown partition', 0, { partition: 9 }, brokerCode.UNKNOWN_TOPIC_OR_PARTITION],
    ['a batch that is too large', 0, { records: [record('x'.repeat(2_000_000))] }, brokerCode.MESSAGE_TOO_LARGE],
    ['a transactional batch of nobody', 0, { isTransactional: true }, brokerCode.INVALID_REQUEST],
    ['an empty batch', 0, { records: [] }, brokerCode.INVALID_RECORD],
  ])('refuses %s without storing anything', async (_, node, batch, errorCode) => {
    const { cluster, ask } = await setUp()
    cluster.createTopic('t')
    const answer = await ask(node, produceRequest([produceBatch({ topic: 't', ...batch })]))
    expect(answer.partitions[0]).toMatchObject({ errorCode, baseOffset: -1 })
    expect(cluster.records('t', 0)).toHaveLength(0)
  })

  it('stores the good batches of a request beside a bad one', async () => {
    const { cluster, ask } = await setUp()
    cluster.createTopic('t')
    const request = produceRequest([produceBatch({ topic: 'nope' }), produceBatch({ topic: 't' })])
    const answer = await ask(0, request)
    expect(answer.partitions.map(({ errorCode }) => errorCode)).toEqual([brokerCode.UNKNOWN_TOPIC_OR_PARTITION, 0])
  })

  it('refuses a record without a key on a compacted topic', async () => {
    const { cluster, produce } = await setUp()
    cluster.createTopic('t', { configs: { 'cleanup.policy': 'compact' } })
    expect(await produce({ topic: 't' })).toMatchObject({ errorCode: brokerCode.INVALID_RECORD })
  })

  it('names the records for which it refuses a batch, and stores none of it', async () => {
    const { cluster, clock, produce } = await setUp()
    cluster.createTopic('t', { configs: { 'cleanup.policy': 'compact', 'message.timestamp.after.max.ms': '1000' } })
    const key = Buffer.from('k')
    const answer = await produce({
      topic: 't',
      records: [record('a', { key }), record('b'), record('c', { key, timestamp: clock.now() + 5_000 })],
    })
    expect(answer.errorCode).toBe(brokerCode.INVALID_TIMESTAMP)
    expect(answer.recordErrors.map(({ index }) => index)).toEqual([1, 2])
    expect(answer.recordErrors[0]!.message).toMatch(/needs a key/)
    expect(answer.errorMessage).not.toBeNull()
    expect(cluster.records('t', 0)).toEqual([])
    expect(await produce({ topic: 't', records: [record('a', { key })] })).toMatchObject({
      errorCode: 0,
      recordErrors: [],
      errorMessage: null,
    })
  })

  it('refuses a timestamp more than an hour ahead of its clock, as Kafka does from 4.0 on, and a codec that there is not', async () => {
    const { cluster, clock, produce } = await setUp()
    cluster.createTopic('t')
    const ahead = (byMs: number) => [record('a', { timestamp: clock.wallTime() + byMs })]
    expect(await produce({ topic: 't', records: ahead(3_700_000) })).toMatchObject({
      errorCode: brokerCode.INVALID_TIMESTAMP,
    })
    expect(await produce({ topic: 't', records: ahead(3_500_000) })).toMatchObject({ errorCode: 0 })
    expect(await produce({ topic: 't', records: [record('old', { timestamp: 0 })] })).toMatchObject({ errorCode: 0 })
    expect(await produce({ topic: 't', compression: 'brotli' as never })).toMatchObject({
      errorCode: brokerCode.UNSUPPORTED_COMPRESSION_TYPE,
    })
  })

  it('puts the broker’s time on records of a LogAppendTime topic', async () => {
    const { clock, cluster, produce } = await setUp()
    cluster.createTopic('t', { configs: { 'message.timestamp.type': 'LogAppendTime' } })
    expect(await produce({ topic: 't' })).toMatchObject({ logAppendTime: clock.now() })
    expect(cluster.records('t', 0)[0]!.timestamp).toBe(clock.now())
  })

  it('refuses acks=all before the append while too few replicas are in sync, and acks=1 not', async () => {
    const { cluster, produce } = await setUp()
    cluster.createTopic('t')
    cluster.faults.stopBroker(1)
    expect(await produce({ topic: 't' })).toMatchObject({ errorCode: 0 })
    cluster.faults.stopBroker(2)
    expect(await produce({ topic: 't' })).toMatchObject({ errorCode: brokerCode.NOT_ENOUGH_REPLICAS })
    expect(await produce({ topic: 't' }, { acks: 1 })).toMatchObject({ errorCode: 0, baseOffset: 1 })
    cluster.faults.startBroker(1)
    expect(await produce({ topic: 't' })).toMatchObject({ errorCode: 0, baseOffset: 2 })
  })

  it('answers acks=1 at once and acks=all when the followers have the record', async () => {
    const { clock, cluster, produce } = await setUp({ replicationDelayMs: 50 })
    cluster.createTopic('t')
    const start = clock.now()
    await produce({ topic: 't' }, { acks: 1 })
    expect(clock.now() - start).toBe(0)
    expect(cluster.partitionFacts('t', 0)).toMatchObject({ highWatermark: 0, logEndOffset: 1 })
    await produce({ topic: 't' })
    expect(clock.now() - start).toBe(50)
    expect(cluster.partitionFacts('t', 0).highWatermark).toBe(2)
  })

  it('answers REQUEST_TIMED_OUT when a follower does not copy in time, and keeps the record', async () => {
    const { clock, cluster, produce } = await setUp()
    cluster.createTopic('t')
    cluster.faults.pauseReplication(2)
    const start = clock.now()
    expect(await produce({ topic: 't' }, { timeoutMs: 400 })).toMatchObject({ errorCode: brokerCode.REQUEST_TIMED_OUT })
    expect(clock.now() - start).toBe(400)
    expect(cluster.partitionFacts('t', 0)).toMatchObject({ highWatermark: 0, logEndOffset: 1 })
    cluster.faults.dropFollower(2)
    expect(cluster.partitionFacts('t', 0)).toMatchObject({ highWatermark: 1, isr: [0, 1] })
    cluster.faults.resumeReplication(2)
    expect(cluster.partitionFacts('t', 0).isr).toEqual([0, 1, 2])
  })

  it('keeps the last in-sync replica of a partition without a leader, so that it leads again when its broker is back', async () => {
    const { cluster } = await setUp()
    cluster.createTopic('t', { replicationFactor: 1 })
    cluster.faults.stopBroker(0)
    cluster.faults.dropFollower(0)
    expect(cluster.partitionFacts('t', 0)).toMatchObject({ leader: -1, isr: [0] })
    cluster.faults.startBroker(0)
    expect(cluster.partitionFacts('t', 0)).toMatchObject({ leader: 0, isr: [0] })
  })

  it('answers NOT_ENOUGH_REPLICAS_AFTER_APPEND when replicas fall out while it waits', async () => {
    const { clock, cluster, send } = await setUp({ replicationDelayMs: 100 })
    cluster.createTopic('t')
    const answer = send(0, produceRequest([produceBatch({ topic: 't' })]))
    await clock.advance(10)
    cluster.faults.stopBroker(1)
    cluster.faults.stopBroker(2)
    expect((await clock.runUntil(answer)).partitions[0]).toMatchObject({
      errorCode: brokerCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    })
    expect(cluster.records('t', 0)).toHaveLength(1)
  })

  it('loses what only the old leader had when the leader moves, and nothing that acks=all confirmed', async () => {
    const { clock, cluster, ask, produce, send } = await setUp({ replicationDelayMs: 100 })
    cluster.createTopic('t')
    await produce({ topic: 't', records: records('safe') })
    await produce({ topic: 't', records: records('acks 1') }, { acks: 1 })
    const waiting = send(0, produceRequest([produceBatch({ topic: 't', records: records('waiting') })]))
    await clock.advance(1)
    cluster.faults.moveLeader('t', 0, 1)
    expect((await clock.runUntil(waiting)).partitions[0]).toMatchObject({
      errorCode: brokerCode.NOT_LEADER_OR_FOLLOWER,
    })
    expect(cluster.records('t', 0).map(({ value }) => String(value))).toEqual(['safe'])
    expect(cluster.partitionFacts('t', 0)).toMatchObject({ leader: 1, leaderEpoch: 1 })
    const atOldLeader = await ask(0, produceRequest([produceBatch({ topic: 't' })]))
    expect(atOldLeader.partitions[0]!.errorCode).toBe(brokerCode.NOT_LEADER_OR_FOLLOWER)
  })

  it('forgets with the truncated records the sequences of their producer', async () => {
    const { cluster, produce } = await setUp({ replicationDelayMs: 100 })
    cluster.createTopic('t')
    const batch = { topic: 't', producerId: 3, producerEpoch: 0, records: records('a') }
    await produce({ ...batch, baseSequence: 0 })
    await produce({ ...batch, baseSequence: 1 }, { acks: 1 })
    cluster.faults.moveLeader('t', 0, 2)
    expect(await produce({ ...batch, baseSequence: 1 })).toMatchObject({ errorCode: 0, baseOffset: 1 })
    expect(cluster.records('t', 0)).toHaveLength(2)
  })

  it('elects only in-sync replicas, unless the topic allows unclean elections', async () => {
    const { cluster, produce } = await setUp()
    cluster.createTopic('clean', { replicationFactor: 2 })
    cluster.createTopic('unclean', { replicationFactor: 2, configs: { 'unclean.leader.election.enable': 'true' } })
    const [first, second] = cluster.partitionFacts('clean', 0).replicas as [number, number]
    cluster.faults.stopBroker(second)
    await produce({ topic: 'clean' }, { acks: 1 })
    cluster.faults.stopBroker(first)
    cluster.faults.startBroker(second)
    expect(cluster.partitionFacts('clean', 0).leader).toBe(-1)
    cluster.faults.startBroker(first)
    expect(cluster.partitionFacts('clean', 0)).toMatchObject({ leader: first, logEndOffset: 1 })

    const [old, stale] = cluster.partitionFacts('unclean', 0).replicas as [number, number]
    cluster.faults.stopBroker(stale)
    await produce({ topic: 'unclean' }, { acks: 1 })
    cluster.faults.stopBroker(old)
    cluster.faults.startBroker(stale)
    expect(cluster.partitionFacts('unclean', 0)).toMatchObject({ leader: stale, logEndOffset: 0, highWatermark: 0 })
  })

  it('keeps a broker’s partitions with it until the failover time has passed', async () => {
    const { clock, cluster } = await setUp({ failoverMs: 500 })
    cluster.createTopic('t')
    cluster.faults.stopBroker(0)
    expect(cluster.partitionFacts('t', 0).leader).toBe(0)
    await clock.advance(500)
    expect(cluster.partitionFacts('t', 0)).toMatchObject({ leader: 1, isr: [1, 2] })
  })

  it('counts the failover time from the latest death of a broker', async () => {
    const { clock, cluster } = await setUp({ failoverMs: 500 })
    cluster.createTopic('t')
    cluster.faults.stopBroker(0)
    await clock.advance(300)
    cluster.faults.startBroker(0)
    cluster.faults.moveLeader('t', 0, 0)
    cluster.faults.stopBroker(0)
    await clock.advance(499)
    expect(cluster.partitionFacts('t', 0).leader).toBe(0)
    await clock.advance(1)
    expect(cluster.partitionFacts('t', 0).leader).toBe(1)
  })

  it('drops the oldest batches of a topic that is limited in size', async () => {
    const { cluster, produce } = await setUp()
    cluster.createTopic('t', { configs: { 'retention.bytes': '10000' } })
    for (let index = 0; index < 50; index += 1) await produce({ topic: 't', records: [record('x'.repeat(1_000))] })
    const { logStartOffset, logEndOffset } = cluster.partitionFacts('t', 0)
    expect(logEndOffset).toBe(50)
    expect(logStartOffset).toBeGreaterThan(35)
    expect(cluster.records('t', 0)[0]!.offset).toBe(logStartOffset)
  })
})
