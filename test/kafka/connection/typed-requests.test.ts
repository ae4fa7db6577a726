import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { brokerCode } from '../../../src/connection/broker-error.js'
import { RequestError } from '../../../src/connection/request-error.js'
import type { FetchPartition } from '../../../src/connection/requests/fetch.js'
import { startCluster, type KafkaCluster } from '../../support/kafka-cluster.js'
import { batchOf } from '../../unit/wire/batches.js'
import { typedClient, untilReady, type TypedClient } from './typed-client.js'

let cluster: KafkaCluster
let client: TypedClient
beforeAll(async () => {
  cluster = await startCluster()
  client = await typedClient(cluster)
})
afterAll(async () => {
  await client?.connection.close()
  await cluster?.stop()
})

describe('every typed request on a real broker', () => {
  it('apiVersions: what is offered, and which features the cluster has agreed on', async () => {
    const answer = await client.ask({ api: 'apiVersions' })
    expect(answer.errorCode).toBe(0)
    expect(answer.offered.find(({ apiKey }) => apiKey === 18)!.max).toBeGreaterThanOrEqual(3)
    expect(answer.finalizedFeatures.map(({ name }) => name)).toContain('metadata.version')
    for (const { minLevel, maxLevel } of answer.finalizedFeatures) expect(maxLevel).toBeGreaterThanOrEqual(minLevel)
    expect(answer.finalizedFeaturesEpoch).toBeGreaterThanOrEqual(0)
  })

  it('metadata: another id for a topic made anew, and a fetch by the former one is refused', async () => {
    const idOf = async () => (await client.ask({ api: 'metadata', topics: ['again'] })).topics[0]!.topicId
    await cluster.createTopic('again')
    const former = await idOf()
    expect(former).toMatch(/^[\w-]{22}$/)
    await client.produce(batchOf([{}], { topic: 'again' }))
    const read = async (topicId: string | null) => (await client.fetch('again', 0, 'read-committed', topicId)).errorCode
    expect(await read(former)).toBe(0)
    await cluster.deleteTopic('again')
    await cluster.createTopic('again')
    expect(await idOf()).not.toBe(former)
    expect(await read(former)).toBe(100)
    expect(await read(await idOf())).toBe(0)
  })

  it('offsetForLeaderEpoch: where the epoch of what was read ends, and another epoch of the leader is refused', async () => {
    await cluster.createTopic('epochs')
    await client.produce(batchOf([{}, {}], { topic: 'epochs' }))
    const { batches } = await client.fetch('epochs', 0)
    expect(batches[0]!.leaderEpoch).toBe(0)
    const endOf = async (leaderEpoch: number, currentLeaderEpoch: number) => {
      const partitions = [{ topic: 'epochs', partition: 0, currentLeaderEpoch, leaderEpoch }]
      return (await client.ask({ api: 'offsetForLeaderEpoch', partitions })).partitions[0]
    }
    const at = { topic: 'epochs', partition: 0 }
    expect(await endOf(0, 0)).toEqual({ ...at, errorCode: 0, leaderEpoch: 0, endOffset: 2 })
    expect(await endOf(3, 0)).toEqual({ ...at, errorCode: 0, leaderEpoch: -1, endOffset: -1 })
    expect((await endOf(0, 9))!.errorCode).toBe(75)
  })

  it('metadata: brokers, topics one by one, missing topics by their code', async () => {
    await cluster.createTopic('described', { partitions: 3 })
    const answer = await client.ask({ api: 'metadata', topics: ['described', 'missing'] })
    expect(answer.brokers).toEqual([
      { nodeId: 1, host: '127.0.0.1', port: Number(cluster.brokers[0]!.split(':')[1]), rack: null },
    ])
    expect(answer.controllerId).toBe(1)
    const byName = new Map(answer.topics.map((topic) => [topic.name, topic]))
    expect(byName.get('missing')).toMatchObject({ errorCode: 3, partitions: [] })
    expect(
      byName
        .get('described')!
        .partitions.map(({ partition }) => partition)
        .sort(),
    ).toEqual([0, 1, 2])
    expect(byName.get('described')!.partitions[0]).toMatchObject({ leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] })
    expect((await client.ask({ api: 'metadata', topics: [] })).topics).toEqual([])
    const all = await client.ask({ api: 'metadata', topics: null })
    expect(all.topics.map(({ name }) => name)).toContain('described')
    expect(all.topics.map(({ name }) => name)).not.toContain('missing')
  })

  it('createTopics, createPartitions, describeConfigs, deleteTopics', async () => {
    const topic = { name: 'made', partitions: -1, replicationFactor: -1, configs: { 'retention.ms': '12345' } }
    const bad = { ...topic, name: 'bad', configs: { 'retention.ms': 'long' } }
    const create = { api: 'createTopics', topics: [topic, bad], timeoutMs: 5_000, validateOnly: false } as const
    const created = new Map((await client.ask(create)).topics.map((each) => [each.name, each]))
    expect(created.get('made')).toEqual({ name: 'made', errorCode: 0, errorMessage: null })
    expect(created.get('bad')).toMatchObject({ errorCode: 40 })
    expect(created.get('bad')!.errorMessage).toMatch(/retention.ms/)
    // The controller has made it; the broker learns of it a moment later.
    await untilReady(async () => (await client.ask({ api: 'metadata', topics: ['made'] })).topics[0]!, [3, 5])
    const grow = { api: 'createPartitions', topics: [{ name: 'made', count: 4 }], timeoutMs: 5_000 } as const
    expect((await client.ask(grow)).topics).toMatchObject([{ name: 'made', errorCode: 0 }])
    const resources = [
      { type: 'topic', name: 'made' },
      { type: 'broker', name: '1' },
      { type: 'topic', name: 'missing' },
    ] as const
    const described = await client.ask({ api: 'describeConfigs', resources })
    const [made, broker, missing] = resources.map(({ type, name }) =>
      described.resources.find((resource) => resource.type === type && resource.name === name),
    )
    expect(made!.entries).toContainEqual({ name: 'retention.ms', value: '12345', isDefault: false })
    expect(made!.entries.find(({ name }) => name === 'cleanup.policy')).toMatchObject({
      value: 'delete',
      isDefault: true,
    })
    expect(broker!.entries.find(({ name }) => name === 'node.id')).toMatchObject({ value: '1' })
    expect(missing).toMatchObject({ errorCode: 3 })
    const remove = { api: 'deleteTopics', topics: ['made', 'missing'], timeoutMs: 5_000 } as const
    const removed = new Map((await client.ask(remove)).topics.map(({ name, errorCode }) => [name, errorCode]))
    expect(removed).toEqual(
      new Map([
        ['made', 0],
        ['missing', 3],
      ]),
    )
  })

  it('initProducerId and produce: sequences, repeats, gaps, and each partition its own answer', async () => {
    await cluster.createTopic('sequenced', { partitions: 2 })
    const none = { transactionalId: null, producerId: -1, producerEpoch: -1 }
    const init = { api: 'initProducerId', ...none, transactionTimeoutMs: 60_000 } as const
    const id = await untilReady(() => client.ask(init))
    expect(id).toMatchObject({ errorCode: 0, producerEpoch: 0 })
    const batch = (partition: number, baseSequence: number) =>
      batchOf([{ value: Buffer.from('a') }, { value: null }], {
        topic: 'sequenced',
        partition,
        baseSequence,
        producerId: id.producerId,
        producerEpoch: id.producerEpoch,
      })
    const answer = async (...batches: ReturnType<typeof batch>[]) =>
      (await client.produce(...batches)).partitions
        .toSorted((a, b) => a.partition - b.partition)
        .map(({ partition, errorCode, baseOffset }) => [partition, errorCode, baseOffset])
    expect(await answer(batch(0, 0), batch(1, 0))).toEqual([
      [0, 0, 0],
      [1, 0, 0],
    ])
    expect(await answer(batch(0, 0), batch(1, 2))).toEqual([
      [0, 0, 0],
      [1, 0, 2],
    ])
    expect(await answer(batch(0, 9), batch(1, 4))).toEqual([
      [0, 45, -1],
      [1, 0, 4],
    ])
  })

  it('produce: the answer names the records for which the broker refused the batch', async () => {
    await cluster.createTopic('choosy', { configs: { 'cleanup.policy': 'compact' } })
    const key = Buffer.from('k')
    const { partitions } = await client.produce(batchOf([{ key }, { key: null }, { key }], { topic: 'choosy' }))
    expect(partitions[0]).toMatchObject({ errorCode: 87, baseOffset: -1 })
    expect(partitions[0]!.recordErrors.map(({ index }) => index)).toEqual([1])
    expect(partitions[0]!.recordErrors[0]!.message).toMatch(/key/)
    expect(partitions[0]!.errorMessage).not.toBeNull()
  })

  it('produce with acks 0: nothing is answered and the record is there', async () => {
    await cluster.createTopic('unanswered')
    const batches = [batchOf([{ value: Buffer.from('a') }], { topic: 'unanswered' })]
    await client.ask({ api: 'produce', acks: 0, timeoutMs: 5_000, transactionalId: null, batches })
    const { batches: fetched } = await client.fetch('unanswered', 0)
    expect(fetched[0]!.decode()[0]!.value!.toString()).toBe('a')
    expect((await client.ask({ api: 'metadata', topics: [] })).brokers).toHaveLength(1)
  })

  it.each(['by name', 'by id'])(
    'fetch: a session, %s, remembers what was asked, and only what is new is told',
    async (how) => {
      const topic = how.replace(' ', '-')
      await cluster.createTopic(topic, { partitions: 3 })
      const { topicId } = (await client.ask({ api: 'metadata', topics: [topic] })).topics[0]!
      const isById = how === 'by id'
      const place = (partition: number, fetchOffset = 0): FetchPartition => ({
        ...{ topic, topicId: isById ? topicId : null, partition },
        ...{ currentLeaderEpoch: -1, fetchOffset, partitionMaxBytes: 1_000_000 },
      })
      const ask = async (
        [id, epoch]: readonly [number, number],
        partitions: readonly FetchPartition[] = [],
        forgotten: readonly FetchPartition[] = [],
      ) => {
        const session = { id, epoch, forgotten, isById, all: new Map(), topicOf: () => topic }
        const limits = { maxWaitMs: 200, minBytes: 1, maxBytes: 1_000_000, isolation: 'read-committed' } as const
        const answer = await client.ask({ api: 'fetch', ...limits, partitions, session }, 'fetch')
        const told = answer.partitions.map((each) => [each.topic, each.partition, each.batches.length])
        return { errorCode: answer.errorCode, id: answer.sessionId ?? 0, told }
      }
      const first = await ask([0, 0], [place(0), place(1)])
      expect(first.id).toBeGreaterThan(0)
      expect(first.told.length).toBe(2)
      const { id } = first
      expect(await ask([id, 1])).toEqual({ errorCode: 0, id, told: [] })
      await client.produce(batchOf([{}], { topic, partition: 1 }))
      expect((await ask([id, 2])).told).toEqual([[topic, 1, 1]])
      expect((await ask([id, 3], [place(1, 1), place(2)])).told).toEqual([[topic, 2, 0]])
      await client.produce(batchOf([{}], { topic, partition: 0 }))
      expect((await ask([id, 4], [], [place(0)])).told).toEqual([])
      expect((await ask([id, 4])).errorCode).toBe(brokerCode.INVALID_FETCH_SESSION_EPOCH)
      const another = await ask([id, 0], [place(0)])
      expect(another.told).toEqual([[topic, 0, 1]])
      expect(another.id).not.toBe(id)
      expect((await ask([id, 5])).errorCode).toBe(brokerCode.FETCH_SESSION_ID_NOT_FOUND)
    },
  )

  it('fetch: waits, begins before the asked offset inside a batch, tells what is out of range', async () => {
    await cluster.createTopic('fetched')
    const startedAt = Date.now()
    expect(await client.fetch('fetched', 0)).toMatchObject({
      errorCode: 0,
      batches: [],
      highWatermark: 0,
      unreadable: null,
    })
    expect(Date.now() - startedAt).toBeGreaterThan(400)
    await client.produce(batchOf([{}, {}, {}], { topic: 'fetched' }))
    const middle = await client.fetch('fetched', 2)
    expect(middle.batches).toHaveLength(1)
    expect(middle.batches[0]).toMatchObject({ baseOffset: 0, lastOffset: 2 })
    expect(middle).toMatchObject({ highWatermark: 3, lastStableOffset: 3, logStartOffset: 0 })
    expect(middle.sizeBytes).toBeGreaterThan(61)
    expect(await client.fetch('fetched', 99)).toMatchObject({ errorCode: 1 })
  })

  it('listOffsets: earliest, latest, and by time', async () => {
    await cluster.createTopic('listed')
    await client.produce(
      batchOf([{ timestamp: 1_000 }, { timestamp: 2_000 }, { timestamp: 3_000 }], { topic: 'listed' }),
    )
    const at = async (timestamp: number) => {
      const partitions = [{ topic: 'listed', partition: 0, timestamp }]
      const answer = await client.ask({ api: 'listOffsets', isolation: 'read-committed', partitions })
      return answer.partitions[0]
    }
    expect(await at(-2)).toMatchObject({ errorCode: 0, offset: 0, leaderEpoch: 0 })
    expect(await at(-1)).toMatchObject({ errorCode: 0, offset: 3 })
    expect(await at(1_500)).toMatchObject({ errorCode: 0, offset: 1, timestamp: 2_000 })
    expect(await at(9_000)).toMatchObject({ errorCode: 0, offset: -1 })
  })

  it('the group requests: join in two steps, sync, heartbeat, commit with metadata, fetch the commit, leave', async () => {
    await cluster.createTopic('grouped', { partitions: 2 })
    const coordinator = await untilReady(() => client.ask({ api: 'findCoordinator', key: 'group', keyType: 'group' }))
    expect(coordinator).toMatchObject({ errorCode: 0, nodeId: 1, host: '127.0.0.1' })
    const ownedPartitions = [{ topic: 'grouped', partition: 1 }]
    const subscription = { version: 1, topics: ['grouped'], userData: Buffer.from('mine'), ownedPartitions }
    const join = (memberId: string) =>
      client.ask(
        {
          api: 'joinGroup',
          groupId: 'group',
          sessionTimeoutMs: 30_000,
          rebalanceTimeoutMs: 3_000,
          memberId,
          groupInstanceId: null,
          protocols: [{ name: 'range', subscription }],
        },
        'group',
      )
    const first = await untilReady(() => join(''))
    expect(first.errorCode).toBe(79)
    const joined = await join(first.memberId)
    expect(joined).toMatchObject({ errorCode: 0, protocolName: 'range', leader: first.memberId })
    expect(joined.members).toEqual([{ memberId: first.memberId, groupInstanceId: null, subscription }])
    const { memberId, generationId } = joined
    const identity = { groupId: 'group', generationId, memberId, groupInstanceId: null }
    const assignment = { partitions: [0, 1].map((partition) => ({ topic: 'grouped', partition })), userData: null }
    const synced = await client.ask({ api: 'syncGroup', ...identity, assignments: [{ memberId, assignment }] }, 'group')
    expect(synced).toMatchObject({ errorCode: 0, assignment })
    expect((await client.ask({ api: 'heartbeat', ...identity }, 'group')).errorCode).toBe(0)
    expect((await client.ask({ api: 'heartbeat', ...identity, generationId: 99 }, 'group')).errorCode).toBe(22)
    const committed = {
      topic: 'grouped',
      partition: 0,
      offset: 5_000_000_000,
      leaderEpoch: -1,
      metadata: 'my metadata',
    }
    const commit = await client.ask(
      { api: 'offsetCommit', ...identity, partitions: [{ ...committed, topicId: null }] },
      'group',
    )
    expect(commit.partitions).toEqual([{ topic: 'grouped', partition: 0, errorCode: 0 }])
    for (const requireStable of [true, false]) {
      const request = { api: 'offsetFetch', groupId: 'group', requireStable } as const
      expect((await client.ask({ ...request, partitions: null })).partitions).toEqual([{ ...committed, errorCode: 0 }])
      const other = await client.ask({ ...request, partitions: [{ topic: 'grouped', partition: 1 }] })
      expect(other.partitions).toMatchObject([{ partition: 1, offset: -1, errorCode: 0 }])
    }
    const { topicId } = (await client.ask({ api: 'metadata', topics: ['grouped'] })).topics[0]!
    const commitTo = async (id: string | null) => {
      const partitions = [{ ...committed, offset: 7, topicId: id }]
      return (await client.ask({ api: 'offsetCommit', ...identity, partitions }, 'group')).partitions
    }
    expect(await commitTo(topicId)).toEqual([{ topic: 'grouped', partition: 0, errorCode: 0 }])
    const { offered } = await client.ask({ api: 'apiVersions' })
    const knowsIds = offered.find(({ apiKey }) => apiKey === 8)!.max >= 10
    const another = 'AAAAAAAAAAAAAAAAAAAAAQ'
    expect(await commitTo(another)).toEqual([{ topic: 'grouped', partition: 0, errorCode: knowsIds ? 100 : 0 }])
    const leave = { api: 'leaveGroup', groupId: 'group', memberId, groupInstanceId: null } as const
    expect((await client.ask(leave, 'group')).errorCode).toBe(0)
    expect((await client.ask(leave, 'group')).errorCode).toBe(25)
  })

  it('a static member keeps its instance id through join, sync, heartbeat and leave', async () => {
    const groupInstanceId = 'instance-1'
    const subscription = { version: 0, topics: ['grouped'], userData: null, ownedPartitions: [] }
    const protocols = [{ name: 'range', subscription }]
    const group = { groupId: 'static', sessionTimeoutMs: 30_000, rebalanceTimeoutMs: 3_000 }
    const join = () => client.ask({ api: 'joinGroup', ...group, memberId: '', groupInstanceId, protocols }, 'group')
    const first = await untilReady(join)
    expect(first).toMatchObject({ errorCode: 0, members: [{ groupInstanceId }] })
    const identity = (memberId: string, generationId: number) => ({
      groupId: 'static',
      memberId,
      generationId,
      groupInstanceId,
    })
    const sync = (memberId: string, generationId: number) =>
      client.ask({ api: 'syncGroup', ...identity(memberId, generationId), assignments: [] }, 'group')
    expect((await sync(first.memberId, first.generationId)).errorCode).toBe(0)
    const second = await join()
    expect(second.errorCode).toBe(0)
    expect(second.memberId).not.toBe(first.memberId)
    const fenced = await client.ask({ api: 'heartbeat', ...identity(first.memberId, first.generationId) }, 'group')
    expect(fenced.errorCode).toBe(82)
    const leave = { api: 'leaveGroup', groupId: 'static', memberId: '', groupInstanceId } as const
    expect((await client.ask(leave, 'group')).errorCode).toBe(0)
  })

  it('a broker that is killed fails what is out, and answers again over a new socket when it is back', async () => {
    await cluster.createTopic('restarted')
    const parked = client.ask(
      {
        api: 'fetch',
        maxWaitMs: 30_000,
        minBytes: 1,
        maxBytes: 1_000,
        isolation: 'read-committed',
        partitions: [
          {
            topic: 'restarted',
            topicId: null,
            partition: 0,
            currentLeaderEpoch: -1,
            fetchOffset: 0,
            partitionMaxBytes: 1_000,
          },
        ],
      },
      'fetch',
    )
    const lost = parked.then(
      () => null,
      (error: unknown) => error,
    )
    await client.ask({ api: 'metadata', topics: [] })
    await cluster.node(1).kill()
    expect(await lost).toMatchObject({ failure: 'connection-lost', sent: 'maybe' })
    const refused = await client.ask({ api: 'metadata', topics: [] }).then(
      () => null,
      (error: unknown) => error,
    )
    expect(refused).toBeInstanceOf(RequestError)
    expect(refused).toMatchObject({ failure: 'cannot-connect', sent: 'never' })
    cluster.node(1).start()
    await cluster.node(1).ready(1)
    expect((await client.ask({ api: 'metadata', topics: [] })).brokers).toHaveLength(1)
  })
})
