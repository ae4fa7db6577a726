import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import { fetchRequest, produceBatch, produceRequest, record, records, setUp, valuesOf } from '../fixture.js'

describe('fetching from the memory cluster', () => {
  it('answers at once what is there, beginning with the batch that holds the offset', async () => {
    const { cluster, produce, fetch } = await setUp()
    cluster.createTopic('t')
    await produce({ topic: 't', records: records('a', 'b', 'c') })
    await produce({ topic: 't', records: records('d') })
    const fetched = await fetch('t', 1)
    expect(valuesOf(fetched)).toEqual(['a', 'b', 'c', 'd'])
    expect(fetched).toMatchObject({ highWatermark: 4, lastStableOffset: 4, logStartOffset: 0, unreadable: null })
    expect(fetched.batches.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual([
      [0, 2],
      [3, 3],
    ])
    expect(valuesOf(await fetch('t', 4))).toEqual([])
  })

  it('waits for data as long as asked, and no longer than it takes to come', async () => {
    const { clock, cluster, send, produce } = await setUp()
    cluster.createTopic('t')
    const start = clock.now()
    const empty = await clock.runUntil(send(0, fetchRequest('t', 0, { maxWaitMs: 250 }), 'fetch'))
    expect([clock.now() - start, empty.partitions[0]!.batches]).toEqual([250, []])
    const parked = send(0, fetchRequest('t', 0, { maxWaitMs: 250 }), 'fetch')
    await clock.advance(100)
    await produce({ topic: 't', records: records('now') })
    expect(valuesOf((await clock.runUntil(parked)).partitions[0]!)).toEqual(['now'])
    expect(clock.now() - start).toBe(350)
  })

  it('waits until minBytes are there', async () => {
    const { clock, cluster, send, produce } = await setUp()
    cluster.createTopic('t')
    const parked = send(0, fetchRequest('t', 0, { maxWaitMs: 10_000, minBytes: 1_000 }), 'fetch')
    await produce({ topic: 't', records: records('small') })
    await produce({ topic: 't', records: [record('x'.repeat(1_000))] })
    expect((await clock.runUntil(parked)).partitions[0]!.batches).toHaveLength(2)
  })

  it('waits until partitions have minBytes together', async () => {
    const { clock, cluster, send, produce } = await setUp()
    cluster.createTopic('t', { partitions: 3 })
    const [asked] = fetchRequest('t', 0).partitions
    const partitions = [0, 1, 2].map((partition) => ({ ...asked!, partition }))
    await produce({ topic: 't', partition: 2, records: [record('x'.repeat(300))] })
    const start = clock.now()
    const parked = send(0, fetchRequest('t', 0, { maxWaitMs: 10_000, minBytes: 1_000, partitions }), 'fetch')
    for (const partition of [0, 0, 1]) {
      await clock.advance(100)
      await produce({ topic: 't', partition, records: [record('x'.repeat(200))] })
    }
    expect((await clock.runUntil(parked)).partitions.map(({ batches }) => batches.length)).toEqual([2, 1, 1])
    expect(clock.now() - start).toBeLessThan(1_000)
  })

  it('gives no more bytes than asked, but at least one batch', async () => {
    const { cluster, produce, fetch } = await setUp()
    cluster.createTopic('t')
    for (const letter of ['a', 'b', 'c']) await produce({ topic: 't', records: [record(letter.repeat(100))] })
    expect((await fetch('t', 0, { maxBytes: 10 })).batches).toHaveLength(1)
    expect((await fetch('t', 0, { maxBytes: 400 })).batches).toHaveLength(2)
    const partitions = fetchRequest('t', 0).partitions.map((each) => ({ ...each, partitionMaxBytes: 200 }))
    const limited = await fetch('t', 0, { partitions })
    expect(limited.batches).toHaveLength(1)
    expect(limited.sizeBytes).toBe(limited.batches.length * 171)
  })

  it('shows records only when every in-sync replica has them', async () => {
    const { clock, cluster, produce, fetch } = await setUp({ replicationDelayMs: 100 })
    cluster.createTopic('t')
    await produce({ topic: 't' }, { acks: 1 })
    expect(await fetch('t', 0)).toMatchObject({ highWatermark: 0, batches: [] })
    await clock.advance(100)
    expect(await fetch('t', 0)).toMatchObject({ highWatermark: 1, batches: [{ baseOffset: 0 }] })
  })

  it.each([
    ['beyond the end', 3, brokerCode.OFFSET_OUT_OF_RANGE],
    ['before the start', 0, brokerCode.OFFSET_OUT_OF_RANGE],
    ['at the end', 2, brokerCode.NONE],
  ])('answers an offset %s', async (_, offset, errorCode) => {
    const { cluster, produce, fetch } = await setUp()
    cluster.createTopic('t')
    await produce({ topic: 't' })
    await produce({ topic: 't' })
    cluster.deleteRecordsBefore('t', 0, 1)
    expect(await fetch('t', offset, { maxWaitMs: 100 })).toMatchObject({ errorCode })
  })

  it('fences leader epochs that are not the present one', async () => {
    const { cluster, fetch } = await setUp()
    cluster.createTopic('t')
    cluster.faults.moveLeader('t', 0)
    const withEpoch = (currentLeaderEpoch: number) =>
      fetch('t', 0, { partitions: fetchRequest('t', 0).partitions.map((each) => ({ ...each, currentLeaderEpoch })) })
    expect((await withEpoch(0)).errorCode).toBe(brokerCode.FENCED_LEADER_EPOCH)
    expect((await withEpoch(1)).errorCode).toBe(brokerCode.NONE)
    expect((await withEpoch(2)).errorCode).toBe(brokerCode.UNKNOWN_LEADER_EPOCH)
  })

  it('ends a parked fetch when the leader that it names moves, or the topic is deleted', async () => {
    const { clock, cluster, send } = await setUp()
    cluster.createTopic('t')
    const under = (currentLeaderEpoch: number) => ({
      maxWaitMs: 60_000,
      partitions: fetchRequest('t', 0).partitions.map((each) => ({ ...each, currentLeaderEpoch })),
    })
    const moved = send(0, fetchRequest('t', 0, under(0)), 'fetch')
    await clock.advance(5)
    const movedAt = clock.now()
    cluster.faults.moveLeader('t', 0, 1)
    expect((await clock.runUntil(moved)).partitions[0]!.errorCode).toBe(brokerCode.FENCED_LEADER_EPOCH)
    expect(clock.now() - movedAt).toBeLessThan(100)
    const deleted = send(1, fetchRequest('t', 0, { maxWaitMs: 60_000 }), 'fetch')
    await clock.advance(5)
    cluster.deleteTopic('t')
    expect((await clock.runUntil(deleted)).partitions[0]!.errorCode).toBe(brokerCode.UNKNOWN_TOPIC_OR_PARTITION)
  })

  it('goes on with a fetch that names no epoch at the replica that its leader has become', async () => {
    const { clock, cluster, send, produce } = await setUp()
    cluster.createTopic('t')
    const parked = send(0, fetchRequest('t', 0, { maxWaitMs: 60_000 }), 'fetch')
    await clock.advance(5)
    cluster.faults.moveLeader('t', 0, 1)
    await produce({ topic: 't', records: records('new') })
    expect(valuesOf((await clock.runUntil(parked)).partitions[0]!)).toEqual(['new'])
  })

  it('gives from a follower what that has copied, and knows there no offset beyond', async () => {
    const { clock, cluster, ask, produce } = await setUp({ brokers: 3 })
    cluster.createTopic('t')
    await produce({ topic: 't', records: records('a', 'b') })
    cluster.faults.pauseReplication(1)
    cluster.faults.dropFollower(1)
    await produce({ topic: 't', records: records('c') })
    const ofFollower = async (offset: number) => (await ask(1, fetchRequest('t', offset), 'fetch')).partitions[0]!
    const behind = await ofFollower(0)
    expect(valuesOf(behind)).toEqual(['a', 'b'])
    expect(behind).toMatchObject({ highWatermark: 2, lastStableOffset: 2 })
    expect((await ofFollower(3)).errorCode).toBe(brokerCode.OFFSET_OUT_OF_RANGE)
    cluster.faults.resumeReplication(1)
    await clock.advance(5)
    expect(valuesOf(await ofFollower(0))).toEqual(['a', 'b', 'c'])
  })

  it('refuses to be read where there is no replica', async () => {
    const { cluster, ask } = await setUp({ brokers: 4 })
    cluster.createTopic('t')
    const { replicas } = cluster.partitionFacts('t', 0)
    const other = [0, 1, 2, 3].find((node) => !replicas.includes(node))!
    const answer = await ask(other, fetchRequest('t', 0), 'fetch')
    expect(answer.partitions[0]!.errorCode).toBe(brokerCode.NOT_LEADER_OR_FOLLOWER)
  })

  it('names to readers that say where they are an in-sync follower there that has their offset, and gives no records', async () => {
    const { cluster, produce, fetch, ask } = await setUp({ brokers: 3, racks: ['a', 'b', 'b'] })
    cluster.createTopic('t')
    await produce({ topic: 't', records: records('a', 'b') })
    const named = async (rackId: string, offset = 0) => {
      const { preferredReadReplica = -1, batches } = await fetch('t', offset, { rackId, maxWaitMs: 60_000 })
      return [preferredReadReplica, batches.length]
    }
    expect(await named('b')).toEqual([1, 0])
    expect([await named('a'), await named('c'), await named('')]).toEqual(Array(3).fill([-1, 1]))
    cluster.faults.pauseReplication(1)
    expect(await named('b', 2)).toEqual([1, 0])
    await produce({ topic: 't', records: records('c') }, { acks: 1 })
    expect(await named('b', 3)).toEqual([2, 0])
    cluster.faults.dropFollower(1)
    expect(await named('b')).toEqual([2, 0])
    const atFollower = await ask(2, fetchRequest('t', 0, { rackId: 'b' }), 'fetch')
    expect(atFollower.partitions[0]!.preferredReadReplica).toBeUndefined()
  })

  it('leaves holes where compaction took records, and batches go on covering them', async () => {
    const { cluster, produce, fetch } = await setUp()
    cluster.createTopic('t')
    await produce({ topic: 't', records: records('a', 'b', 'c') })
    await produce({ topic: 't', records: records('d') })
    await produce({ topic: 't', producerId: 1, producerEpoch: 0, baseSequence: 0, records: records('e') })
    cluster.compact('t', 0, ({ value }) => ['b'].includes(String(value)))
    const fetched = await fetch('t', 0)
    expect(fetched.batches.map(({ baseOffset, lastOffset, count }) => [baseOffset, lastOffset, count])).toEqual([
      [0, 2, 1],
      [4, 4, 0],
    ])
    expect((await produce({ topic: 't' })).baseOffset).toBe(5)
  })

  it('holds read-committed back at an open transaction and names the aborted ones', async () => {
    const { cluster, produce, fetch } = await setUp()
    cluster.createTopic('t')
    const aborted = cluster.appendTransaction('t', 0, records('aborted'), 'abort')
    cluster.appendTransaction('t', 0, records('committed'), 'commit')
    const open = cluster.appendTransaction('t', 0, records('open'), 'open')
    await produce({ topic: 't', records: records('behind') })

    const committed = await fetch('t', 0, { isolation: 'read-committed' })
    expect(committed).toMatchObject({ highWatermark: 6, lastStableOffset: 4 })
    expect(committed.abortedTransactions).toEqual([{ producerId: aborted.producerId, firstOffset: 0 }])
    expect(committed.batches.map(({ control }) => control)).toEqual(['none', 'abort', 'none', 'commit'])
    const uncommitted = await fetch('t', 0)
    expect(valuesOf(uncommitted)).toEqual(['aborted', 'committed', 'open', 'behind'])
    expect(uncommitted.abortedTransactions).toEqual([])

    cluster.endTransaction('t', 0, open.producerId, 'abort')
    const later = await fetch('t', 4, { isolation: 'read-committed' })
    expect(later).toMatchObject({ lastStableOffset: 7, abortedTransactions: [{ firstOffset: 4 }] })
  })

  it('holds read-committed back until the marker is on the replicas too, since a new leader may not have it', async () => {
    const { cluster, clock, fetch } = await setUp({ brokers: 3, replicationDelayMs: 50 })
    cluster.createTopic('t')
    const open = cluster.appendTransaction('t', 0, records('a'), 'open')
    await clock.advance(200)
    cluster.endTransaction('t', 0, open.producerId, 'commit')
    expect(await fetch('t', 0, { isolation: 'read-committed' })).toMatchObject({
      highWatermark: 1,
      lastStableOffset: 0,
    })
    await clock.advance(200)
    expect(await fetch('t', 0, { isolation: 'read-committed' })).toMatchObject({
      highWatermark: 2,
      lastStableOffset: 2,
    })
  })

  it('keeps the producer id of a transactional id over its transactions, with sequences that go on', async () => {
    const { cluster, fetch } = await setUp()
    cluster.createTopic('t')
    const mine = cluster.appendTransaction('t', 0, records('a', 'b'), 'abort', 'mine')
    const other = cluster.appendTransaction('t', 0, records('c'), 'commit', 'other')
    const again = cluster.appendTransaction('t', 0, records('d'), 'commit', 'mine')
    expect(again.producerId).toBe(mine.producerId)
    expect(other.producerId).not.toBe(mine.producerId)
    expect(cluster.batches('t', 0).map(({ baseSequence }) => baseSequence)).toEqual([0, -1, 0, -1, 2, -1])
    const committed = await fetch('t', 0, { isolation: 'read-committed' })
    expect(committed.abortedTransactions).toEqual([{ producerId: mine.producerId, firstOffset: 0 }])
  })

  it('wakes a read-committed fetch when the transaction ends', async () => {
    const { clock, cluster, send } = await setUp()
    cluster.createTopic('t')
    const open = cluster.appendTransaction('t', 0, records('open'), 'open')
    const parked = send(0, fetchRequest('t', 0, { isolation: 'read-committed', maxWaitMs: 60_000 }), 'fetch')
    await clock.advance(10)
    cluster.endTransaction('t', 0, open.producerId, 'commit')
    expect(valuesOf((await clock.runUntil(parked)).partitions[0]!)).toEqual(['open'])
  })

  it('finds offsets by name and by time', async () => {
    const { cluster, ask, produce } = await setUp()
    cluster.createTopic('t')
    await produce({ topic: 't', records: [record('a', { timestamp: 10 }), record('b', { timestamp: 30 })] })
    await produce({ topic: 't', records: [record('c', { timestamp: 20 })] })
    cluster.appendTransaction('t', 0, [record('open', { timestamp: 5 })], 'open')
    const find = async (timestamp: number, isolation: 'read-committed' | 'read-uncommitted' = 'read-uncommitted') => {
      const request = { api: 'listOffsets', isolation, partitions: [{ topic: 't', partition: 0, timestamp }] } as const
      const { offset, timestamp: found } = (await ask(0, request)).partitions[0]!
      return [offset, found]
    }
    expect(await find(-2)).toEqual([0, -1])
    expect(await find(-1)).toEqual([4, -1])
    expect(await find(-1, 'read-committed')).toEqual([3, -1])
    expect(await find(15)).toEqual([1, 30])
    expect(await find(31)).toEqual([-1, -1])
    const wrong = await ask(1, {
      api: 'listOffsets',
      isolation: 'read-committed',
      partitions: [{ topic: 't', partition: 0, timestamp: -1 }],
    })
    expect(wrong.partitions[0]!.errorCode).toBe(brokerCode.NOT_LEADER_OR_FOLLOWER)
  })

  it('gives two partitions of one request their own results', async () => {
    const { cluster, ask } = await setUp({ brokers: 1 })
    cluster.createTopic('t', { partitions: 2 })
    await ask(0, produceRequest([produceBatch({ topic: 't', partition: 1, records: records('one') })]))
    const both = [0, 1, 2].map((partition) => ({ ...fetchRequest('t', 0).partitions[0]!, partition }))
    const answer = await ask(0, fetchRequest('t', 0, { partitions: both }), 'fetch')
    expect(answer.partitions.map((each) => [each.errorCode, valuesOf(each)])).toEqual([
      [0, []],
      [0, ['one']],
      [brokerCode.UNKNOWN_TOPIC_OR_PARTITION, []],
    ])
  })
})
