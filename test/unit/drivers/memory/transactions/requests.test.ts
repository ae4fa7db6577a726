import { describe, expect, it } from 'vitest'
import { brokerCode, brokerCodeName } from '../../../../../src/connection/broker-error.js'
import type { TransactionVersion } from '../../../../../src/connection/requests/transactions.js'
import type { MemoryClusterOptions } from '../../../../../src/drivers/memory/memory-options.js'
import { produceBatch, records, setUp, valuesOf } from '../fixture.js'

/** A producer that sends what it is told to, one request after another, and knows nothing of errors. */
async function producing(transactionVersion: TransactionVersion, options: MemoryClusterOptions = {}) {
  const world = await setUp({ transactionVersion, ...options })
  const { cluster, ask, leader, clock } = world
  cluster.createTopic('t', { partitions: 2 })
  const me = { transactionalId: 'x', producerId: -1, producerEpoch: -1 }
  const at = () => cluster.transaction('x')?.coordinator ?? 0
  const coordinator = async () => {
    const { nodeId } = await ask('bootstrap', { api: 'findCoordinator', key: 'x', keyType: 'transaction' })
    return nodeId
  }
  const init = async (producerId = -1, producerEpoch = -1, transactionTimeoutMs = 10_000) => {
    const request = {
      api: 'initProducerId',
      transactionalId: 'x',
      transactionTimeoutMs,
      producerId,
      producerEpoch,
    } as const
    const answer = await ask(await coordinator(), request)
    if (answer.errorCode === brokerCode.NONE) Object.assign(me, answer)
    return brokerCodeName(answer.errorCode)
  }
  const add = async (partition = 0) => {
    const answer = await ask(at(), { api: 'addPartitionsToTxn', ...me, partitions: [{ topic: 't', partition }] })
    return brokerCodeName(answer.partitions[0]!.errorCode)
  }
  const produce = async (value: string, baseSequence = 0, partition = 0) => {
    const { transactionalId, producerId, producerEpoch } = me
    const told = { partition, producerId, producerEpoch, baseSequence, isTransactional: true, records: records(value) }
    const batches = [produceBatch({ topic: 't', ...told })]
    const answer = await ask(leader('t', partition), {
      ...{ api: 'produce', acks: -1, timeoutMs: 1_000, transactionVersion },
      ...{ transactionalId, batches },
    } as const)
    return brokerCodeName(answer.partitions[0]!.errorCode)
  }
  const end = async (committed: boolean) => {
    const answer = await ask(at(), { api: 'endTxn', ...me, transactionVersion, committed })
    if (answer.errorCode === brokerCode.NONE && answer.producerId >= 0) {
      Object.assign(me, { producerId: answer.producerId, producerEpoch: answer.producerEpoch })
    }
    return brokerCodeName(answer.errorCode)
  }
  const offsets = async (offset: number, generationId = -1, memberId = '') => {
    const partitions = [{ topic: 't', partition: 1, offset, leaderEpoch: -1, metadata: '' }]
    const member = { groupId: 'g', generationId, memberId, groupInstanceId: null }
    const request = { api: 'txnOffsetCommit', ...me, ...member, transactionVersion, partitions } as const
    const answer = await ask(cluster.coordinatorOf('g'), request)
    return brokerCodeName(answer.partitions[0]!.errorCode)
  }
  const committed = async () => {
    const partitions = [{ topic: 't', partition: 1 }]
    const request = { api: 'offsetFetch', groupId: 'g', partitions, requireStable: true } as const
    const found = (await ask(cluster.coordinatorOf('g'), request)).partitions[0]!
    return found.errorCode === brokerCode.NONE ? found.offset : brokerCodeName(found.errorCode)
  }
  const read = async (isolation: 'read-committed' | 'read-uncommitted' = 'read-committed') => {
    const fetched = await world.fetch('t', 0, { isolation })
    const gone = new Set(fetched.abortedTransactions.map(({ producerId }) => producerId))
    const seen = fetched.batches.filter(({ producerId }) => !gone.has(producerId))
    return valuesOf({ ...fetched, batches: seen })
  }
  const settle = () => clock.advance(100)
  return { ...world, me, coordinator, init, add, produce, end, offsets, committed, read, settle }
}

describe('a transaction in the in-process cluster', () => {
  it.each([1, 2] as const)(
    'is seen as a whole once it is committed, and not before, under version %i',
    async (version) => {
      const { init, add, produce, end, read, settle, cluster } = await producing(version)
      expect(await init()).toBe('NONE')
      if (version === 1) expect(await add()).toBe('NONE')
      expect(await produce('a')).toBe('NONE')
      expect(await produce('b', 1)).toBe('NONE')
      expect(await read()).toEqual([])
      expect(await read('read-uncommitted')).toEqual(['a', 'b'])
      expect(cluster.transaction('x')).toMatchObject({ state: 'Ongoing', writesTo: ['t-0'] })
      expect(await end(true)).toBe('NONE')
      await settle()
      expect(await read()).toEqual(['a', 'b'])
      expect(cluster.transaction('x')).toMatchObject({
        state: 'CompleteCommit',
        producerEpoch: version - 1,
        writesTo: [],
      })
    },
  )

  it('is hidden when it is aborted', async () => {
    const { init, produce, end, read, settle } = await producing(2)
    await init()
    await produce('a')
    expect(await end(false)).toBe('NONE')
    await settle()
    expect(await read()).toEqual([])
  })

  it('takes a partition in by being written to from version 2 on, and needs it added before', async () => {
    const one = await producing(1)
    await one.init()
    expect(await one.produce('a')).toBe('TRANSACTION_ABORTABLE')
    const two = await producing(2)
    await two.init()
    expect(await two.produce('a', 3)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    // The partition has joined, so the end of the transaction is due.
    expect(two.cluster.transaction('x')).toMatchObject({ state: 'Ongoing' })
    expect(await two.end(false)).toBe('NONE')
  })

  it('keeps the next one waiting while its markers are not written', async () => {
    const two = await producing(2, { markerDelayMs: 500 })
    await two.init()
    await two.produce('a')
    await two.end(true)
    const askedAt = two.clock.now()
    expect(await two.produce('b')).toBe('CONCURRENT_TRANSACTIONS')
    expect(two.clock.now() - askedAt).toBeGreaterThanOrEqual(80)
    expect(await two.end(true)).toBe('PRODUCER_FENCED')
    await two.clock.advance(500)
    expect(await two.produce('b')).toBe('NONE')

    const one = await producing(1, { markerDelayMs: 500 })
    await one.init()
    await one.add()
    await one.produce('a')
    await one.end(true)
    expect(await one.add()).toBe('CONCURRENT_TRANSACTIONS')
    expect(await one.end(true)).toBe('CONCURRENT_TRANSACTIONS')
    expect(await one.end(false)).toBe('INVALID_TXN_STATE')
    await one.clock.advance(500)
    expect(await one.end(true)).toBe('NONE')
  })

  it('waits with its end for a partition without a leader', async () => {
    const { init, produce, end, read, clock, cluster } = await producing(2, { replicationFactor: 1, brokers: 2 })
    await init()
    await produce('a')
    await produce('z', 0, 1)
    const { leader } = cluster.partitionFacts('t', 0)
    cluster.faults.moveTransactionCoordinator('x', 1 - leader)
    cluster.faults.stopBroker(leader)
    expect(await end(true)).toBe('NONE')
    await clock.advance(5_000)
    expect(cluster.transaction('x')).toMatchObject({ state: 'PrepareCommit' })
    cluster.faults.startBroker(leader)
    await clock.advance(5_000)
    expect(cluster.transaction('x')).toMatchObject({ state: 'CompleteCommit' })
    expect(await read()).toEqual(['a'])
  })

  it('is ended by the next coordinator when its coordinator dies between decision and markers', async () => {
    const { init, produce, end, read, clock, cluster } = await producing(2, { markerDelayMs: 200, failoverMs: 100 })
    await init()
    cluster.faults.moveTransactionCoordinator('x', (cluster.partitionFacts('t', 0).leader + 1) % 3)
    await produce('a')
    expect(await end(true)).toBe('NONE')
    cluster.faults.stopBroker(cluster.transaction('x')!.coordinator)
    expect(await read()).toEqual([])
    await clock.advance(1_000)
    expect(await read()).toEqual(['a'])
  })

  it('writes a marker again that was lost with the leader that had it', async () => {
    const { init, produce, end, read, clock, cluster } = await producing(2, { replicationDelayMs: 50 })
    await init()
    await produce('a')
    await end(true)
    await clock.advance(10)
    expect(cluster.batches('t', 0).at(-1)?.control).toBe('commit')
    cluster.faults.moveLeader('t', 0)
    expect(cluster.batches('t', 0).at(-1)?.control).toBe('none')
    await clock.advance(500)
    expect(await read()).toEqual(['a'])
    expect(cluster.transaction('x')).toMatchObject({ state: 'CompleteCommit' })
  })

  it('is aborted when it takes longer than its timeout, and its late records are refused', async () => {
    const { init, produce, end, read, clock } = await producing(2)
    await init()
    await produce('a')
    await clock.advance(21_000)
    expect(await produce('b', 1)).toBe('INVALID_PRODUCER_EPOCH')
    expect(await end(true)).toBe('INVALID_TXN_STATE')
    expect(await end(false)).toBe('NONE')
    expect(await produce('c')).toBe('NONE')
    expect(await end(true)).toBe('NONE')
    await clock.advance(100)
    expect((await read()).length).toBe(0)

    const one = await producing(1)
    await one.init()
    await one.add()
    await one.produce('a')
    await one.clock.advance(21_000)
    expect(await one.produce('b', 1)).toBe('INVALID_PRODUCER_EPOCH')
    expect(await one.end(true)).toBe('PRODUCER_FENCED')
    expect(await one.end(false)).toBe('PRODUCER_FENCED')
  })

  it('is aborted when another producer takes its id over, and the former one is refused everything', async () => {
    const { init, produce, end, me, clock } = await producing(2)
    await init()
    const former = { ...me }
    await produce('a')
    expect(await init()).toBe('CONCURRENT_TRANSACTIONS')
    await clock.advance(100)
    expect(await init()).toBe('NONE')
    Object.assign(me, former)
    expect(await produce('b', 1)).toBe('INVALID_PRODUCER_EPOCH')
    expect(await end(true)).toBe('PRODUCER_FENCED')
    expect(await init(former.producerId, former.producerEpoch)).toBe('PRODUCER_FENCED')
  })

  it('has another producer id after its epochs are used up', async () => {
    const { init, produce, end, me, settle } = await producing(2, { firstProducerEpoch: 32_765 })
    await init()
    const { producerId } = me
    for (const expected of [32_766, 0, 1]) {
      await produce('a')
      expect(await end(true)).toBe('NONE')
      await settle()
      expect(me.producerEpoch).toBe(expected)
    }
    expect(me.producerId).not.toBe(producerId)
  })

  it('refuses what cannot be an id, an owner or a timeout', async () => {
    const { init, ask, coordinator, cluster, add, end, me } = await producing(1)
    expect(await init(-1, -1, 0)).toBe('INVALID_TRANSACTION_TIMEOUT')
    expect(await init(-1, -1, 900_001)).toBe('INVALID_TRANSACTION_TIMEOUT')
    expect(await init(4, -1)).toBe('INVALID_REQUEST')
    const empty = {
      api: 'initProducerId',
      transactionalId: '',
      transactionTimeoutMs: 1,
      producerId: -1,
      producerEpoch: -1,
    } as const
    expect((await ask(0, empty)).errorCode).toBe(brokerCode.INVALID_REQUEST)
    await init()
    const other = (await coordinator()) === 0 ? 1 : 0
    const request = { api: 'endTxn', ...me, transactionVersion: 1, committed: true } as const
    expect((await ask(other, request)).errorCode).toBe(brokerCode.NOT_COORDINATOR)
    expect(await end(true)).toBe('INVALID_TXN_STATE')
    const partitions = [
      { topic: 't', partition: 0 },
      { topic: 'nowhere', partition: 0 },
    ]
    const added = await ask(await coordinator(), { api: 'addPartitionsToTxn', ...me, partitions })
    expect(added.partitions.map(({ errorCode }) => brokerCodeName(errorCode))).toEqual([
      'OPERATION_NOT_ATTEMPTED',
      'UNKNOWN_TOPIC_OR_PARTITION',
    ])
    expect(cluster.expireTransactionalId('x')).toBe(true)
    expect(await add()).toBe('INVALID_PRODUCER_ID_MAPPING')
  })

  it('tells what it works by, also after that was raised', async () => {
    const { cluster, ask } = await producing(1)
    const before = await ask('bootstrap', { api: 'apiVersions' })
    cluster.agreeOnTransactionVersion(2)
    const after = await ask('bootstrap', { api: 'apiVersions' })
    expect(before.finalizedFeatures).toContainEqual({ name: 'transaction.version', minLevel: 0, maxLevel: 1 })
    expect(after.finalizedFeatures[0]?.maxLevel).toBe(2)
    expect(after.finalizedFeaturesEpoch).toBeGreaterThan(before.finalizedFeaturesEpoch)
  })

  it('is listed and described', async () => {
    const { init, produce, offsets, ask, coordinator, me, clock } = await producing(2)
    await init()
    await produce('a')
    await offsets(1)
    const node = await coordinator()
    const listed = await ask(node, {
      ...{ api: 'listTransactions', stateFilters: ['Ongoing', 'Odd'], producerIdFilters: [me.producerId] },
    } as const)
    expect(listed).toMatchObject({
      unknownStateFilters: ['Odd'],
      transactions: [{ transactionalId: 'x', producerId: me.producerId, state: 'Ongoing' }],
    })
    const described = await ask(node, { api: 'describeTransactions', transactionalIds: ['x', 'y'] })
    const at = { topic: '__consumer_offsets', partition: 0 }
    expect(described.transactions[0]).toMatchObject({
      state: 'Ongoing',
      timeoutMs: 10_000,
      partitions: [{ topic: 't' }, at],
    })
    expect(clock.wallTime() - described.transactions[0]!.startTimeMs).toBeLessThan(1_000)
    expect(described.transactions[1]!.errorCode).not.toBe(brokerCode.NONE)
  })
})

describe('offsets in a transaction', () => {
  it.each([true, false])('count when it is committed (%s), and are unstable until then', async (isCommitted) => {
    const { init, offsets, end, committed, settle } = await producing(2)
    await init()
    expect(await offsets(5)).toBe('NONE')
    expect(await committed()).toBe('UNSTABLE_OFFSET_COMMIT')
    await end(isCommitted)
    await settle()
    expect(await committed()).toBe(isCommitted ? 5 : -1)
  })

  it('yield to a commit that was made after them', async () => {
    const { init, offsets, end, committed, settle, cluster, ask } = await producing(2)
    await init()
    await offsets(5)
    const partitions = [{ topic: 't', topicId: null, partition: 1, offset: 9, leaderEpoch: -1, metadata: '' }]
    const member = { groupId: 'g', generationId: -1, memberId: '', groupInstanceId: null }
    await ask(cluster.coordinatorOf('g'), { api: 'offsetCommit', ...member, partitions })
    await end(true)
    await settle()
    expect(await committed()).toBe(9)
  })

  it('are refused to a member that is not of the group, and to a transaction that is not open', async () => {
    const { init, offsets } = await producing(2)
    await init()
    expect(await offsets(5, 3, 'gone')).toBe('ILLEGAL_GENERATION')
    const one = await producing(1)
    await one.init()
    expect(await one.offsets(5)).toBe('TRANSACTION_ABORTABLE')
  })
})
