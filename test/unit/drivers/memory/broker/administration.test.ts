import { describe, expect, it } from 'vitest'
import { brokerCode } from '../../../../../src/connection/broker-error.js'
import type { NewTopic } from '../../../../../src/connection/requests/admin.js'
import { setUp } from '../fixture.js'

const newTopic = (rest: Partial<NewTopic> = {}): NewTopic => ({
  name: 'new',
  partitions: 2,
  replicationFactor: 2,
  configs: {},
  ...rest,
})
const create = (topics: readonly NewTopic[], validateOnly = false) =>
  ({ api: 'createTopics', topics, timeoutMs: 1_000, validateOnly }) as const

describe('administration of the memory cluster', () => {
  it('creates topics with spread leaders and the broker’s defaults', async () => {
    const { cluster, ask } = await setUp({ partitions: 4 })
    await ask(0, create([newTopic({ partitions: -1, replicationFactor: -1 })]))
    const { topics, controllerId, brokers } = await ask(2, { api: 'metadata', topics: null })
    expect([controllerId, brokers.map(({ nodeId }) => nodeId)]).toEqual([0, [0, 1, 2]])
    expect(topics[0]!.partitions.map(({ leader }) => leader)).toEqual([0, 1, 2, 0])
    expect(topics[0]!.partitions[1]).toMatchObject({ errorCode: 0, replicas: [1, 2, 0], leaderEpoch: 0 })
    expect(cluster.topicNames()).toEqual(['new'])
  })

  it.each([
    ['a bad name', { name: 'a b' }, brokerCode.INVALID_TOPIC_EXCEPTION],
    ['an existing topic', { name: 'old' }, brokerCode.TOPIC_ALREADY_EXISTS],
    ['no partitions', { partitions: 0 }, brokerCode.INVALID_PARTITIONS],
    ['more replicas than brokers', { replicationFactor: 4 }, brokerCode.INVALID_REPLICATION_FACTOR],
    ['an unknown setting', { configs: { 'no.such': '1' } }, brokerCode.INVALID_CONFIG],
    ['a setting that is no number', { configs: { 'retention.ms': 'long' } }, brokerCode.INVALID_CONFIG],
  ])('refuses to create a topic with %s, and creates the others', async (_, wrong, errorCode) => {
    const { cluster, ask } = await setUp()
    cluster.createTopic('old')
    const { topics } = await ask(0, create([newTopic(wrong), newTopic({ name: 'good' })]))
    expect(topics.map((topic) => topic.errorCode)).toEqual([errorCode, 0])
    expect(cluster.topicNames()).toEqual(['old', 'good'])
  })

  it('only validates when asked to, and only at the controller', async () => {
    const { cluster, ask } = await setUp()
    expect((await ask(0, create([newTopic()], true))).topics[0]!.errorCode).toBe(0)
    expect((await ask(1, create([newTopic()]))).topics[0]!.errorCode).toBe(brokerCode.NOT_CONTROLLER)
    expect(cluster.topicNames()).toEqual([])
    cluster.faults.stopBroker(0)
    expect((await ask(1, create([newTopic()]))).topics[0]!.errorCode).toBe(0)
  })

  it('never creates a topic because somebody asks for it', async () => {
    const { cluster, ask } = await setUp()
    const { topics } = await ask(0, { api: 'metadata', topics: ['nope'] })
    expect(topics).toMatchObject([{ name: 'nope', errorCode: brokerCode.UNKNOWN_TOPIC_OR_PARTITION, partitions: [] }])
    expect(cluster.topicNames()).toEqual([])
  })

  it('deletes a topic with its records, and a new one of that name begins at 0', async () => {
    const { cluster, ask, produce } = await setUp()
    cluster.createTopic('t')
    await produce({ topic: 't' })
    const request = { api: 'deleteTopics', topics: ['t', 'nope'], timeoutMs: 1_000 } as const
    const { topics } = await ask(0, request)
    expect(topics.map(({ errorCode }) => errorCode)).toEqual([0, brokerCode.UNKNOWN_TOPIC_OR_PARTITION])
    cluster.createTopic('t')
    expect(cluster.records('t', 0)).toEqual([])
  })

  it('adds partitions, never takes them away', async () => {
    const { cluster, ask } = await setUp()
    cluster.createTopic('t', { partitions: 2 })
    const grow = async (count: number) => {
      const request = { api: 'createPartitions', topics: [{ name: 't', count }], timeoutMs: 1_000 } as const
      return (await ask(0, request)).topics[0]!.errorCode
    }
    expect([await grow(2), await grow(3)]).toEqual([brokerCode.INVALID_PARTITIONS, 0])
    expect(cluster.partitionFacts('t', 2).leader).toBeGreaterThanOrEqual(0)
  })

  it('adds no partitions while fewer brokers are up than their replicas need, as it creates no such topic', async () => {
    const { cluster, ask } = await setUp()
    cluster.createTopic('t', { partitions: 1, replicationFactor: 3 })
    cluster.faults.stopBroker(2)
    const request = { api: 'createPartitions', topics: [{ name: 't', count: 2 }], timeoutMs: 1_000 } as const
    expect((await ask(0, request)).topics[0]).toMatchObject({
      errorCode: brokerCode.INVALID_REPLICATION_FACTOR,
      errorMessage: 'replication factor 3 needs as many brokers, and 2 are up',
    })
    expect(() => cluster.addPartitions('t', 2)).toThrow(/INVALID_REPLICATION_FACTOR.*3 needs as many brokers/)
    expect(() => cluster.addPartitions('t', 1)).toThrow(/INVALID_PARTITIONS/)
    expect(() => cluster.addPartitions('nope', 1)).toThrow(/there is no topic nope/)
    expect(cluster.partitionCount('t')).toBe(1)
    cluster.faults.startBroker(2)
    cluster.addPartitions('t', 2)
    expect(cluster.partitionFacts('t', 1).replicas).toHaveLength(3)
  })

  it('tells the settings of topics and brokers and which are defaults', async () => {
    const { cluster, ask } = await setUp()
    cluster.createTopic('t', { configs: { 'min.insync.replicas': '1' } })
    const resources = [
      { type: 'topic', name: 't' },
      { type: 'topic', name: 'nope' },
      { type: 'broker', name: '0' },
      { type: 'broker', name: '1' },
    ] as const
    const answer = await ask(0, { api: 'describeConfigs', resources })
    expect(answer.resources.map(({ errorCode }) => errorCode)).toEqual([
      0,
      brokerCode.UNKNOWN_TOPIC_OR_PARTITION,
      0,
      brokerCode.INVALID_REQUEST,
    ])
    const [topic, , broker] = answer.resources
    expect(topic!.entries).toContainEqual({ name: 'min.insync.replicas', value: '1', isDefault: false })
    expect(topic!.entries).toContainEqual({ name: 'cleanup.policy', value: 'delete', isDefault: true })
    expect(broker!.entries).toContainEqual({ name: 'min.insync.replicas', value: '2', isDefault: true })
  })

  it('gives every producer its own id', async () => {
    const { ask } = await setUp()
    const init = () =>
      ask(1, {
        ...{ api: 'initProducerId', transactionalId: null, transactionTimeoutMs: 1_000 },
        ...{ producerId: -1, producerEpoch: -1 },
      })
    const ids = [await init(), await init()]
    expect(ids.map(({ errorCode, producerEpoch }) => [errorCode, producerEpoch])).toEqual([
      [0, 0],
      [0, 0],
    ])
    expect(ids[0]!.producerId).not.toBe(ids[1]!.producerId)
  })

  it('says when a partition has no leader', async () => {
    const { cluster, ask } = await setUp()
    cluster.createTopic('t', { replicationFactor: 1 })
    cluster.faults.stopBroker(0)
    const { topics, brokers } = await ask(1, { api: 'metadata', topics: ['t'] })
    expect(topics[0]!.partitions[0]).toMatchObject({ errorCode: brokerCode.LEADER_NOT_AVAILABLE, leader: -1, isr: [0] })
    expect(brokers.map(({ nodeId }) => nodeId)).toEqual([1, 2])
  })
})
