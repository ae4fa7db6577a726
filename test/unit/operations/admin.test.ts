import { describe, expect, it } from 'vitest'
import { ConfigError, createMessaging, defineTopic, string, type Admin } from 'tidemark'
import { createMemoryCluster, memory } from 'tidemark/memory'

/** Types may have been cast away. */
type Wrong = (admin: Admin, wrong: never) => Promise<unknown>

describe('the admin', () => {
  const refused: [call: string, ask: Wrong, wrong: readonly unknown[]][] = [
    ['createTopics', (admin, topics) => admin.createTopics(topics), [undefined, 'orders', ['orders'], [{ name: '' }]]],
    [
      'createTopics: topic orders',
      (admin, topic) => admin.createTopics([Object.assign({ name: 'orders' }, topic)]),
      [
        { partitions: 0 },
        { partitions: Number.NaN },
        { replicationFactor: '3' },
        { configs: 'compact' },
        { configs: { 'retention.ms': {} } },
      ],
    ],
    ['describeConfig', (admin, type) => admin.describeConfig(type, 'orders'), [undefined, 'Topic', 3]],
    ['describeConfig', (admin, name) => admin.describeConfig('topic', name), [undefined, '', 3]],
    [
      'listOffsets',
      (admin, places) => admin.listOffsets(places, 'latest'),
      [undefined, null, 'orders', ['orders'], [{ topic: 'orders' }], [{ topic: 'orders', partition: -1 }]],
    ],
    [
      'listOffsets',
      (admin, position) => admin.listOffsets([{ topic: 'orders', partition: 0 }], position),
      [undefined, null, 'begin', 0, new Date(0), { timestamp: Number.NaN }, { timestamp: -2 }],
    ],
    ['committedOffsets', (admin, group) => admin.committedOffsets(group), [undefined, null, '', 3]],
    ['committedOffsets', (admin, places) => admin.committedOffsets('g', places), ['orders', [null], {}]],
    ['admin', (admin, options) => admin.describeTopics(null, options), [null, 5, { timeoutMs: null }]],
    [
      'admin',
      (admin, isolation) => admin.listOffsets([{ topic: 'orders', partition: 0 }], 'latest', { isolation }),
      ['committed'],
    ],
    ['deleteTopics', (admin, topics) => admin.deleteTopics(topics), [undefined, 'orders', [3], ['']]],
    ['describeTopics', (admin, topics) => admin.describeTopics(topics), [undefined, 'orders', [null]]],
    ['createPartitions', (admin, count) => admin.createPartitions('orders', count), [Number.NaN, 0, 1.5, '3']],
    ['alterConfig', (admin, type) => admin.alterConfig(type, 'orders', { a: 1 }), ['Topic', 3]],
    ['alterConfig', (admin, name) => admin.alterConfig('topic', name, { a: 1 }), [undefined, '']],
    ['alterConfig', (admin, changes) => admin.alterConfig('topic', 'orders', changes), [undefined, {}, { a: {} }, []]],
    [
      'deleteRecords',
      (admin, records) => admin.deleteRecords(records),
      [undefined, {}, [{ topic: 'orders', partition: 0 }], [{ topic: 'orders', partition: 0, before: -2 }]],
    ],
    ['eligibleLeaders', (admin, topics) => admin.eligibleLeaders(topics), [undefined, 'orders', [3]]],
    ['electLeaders', (admin, places) => admin.electLeaders(places), [undefined, 'orders', [{ topic: 'orders' }]]],
    ['listGroups', (admin, states) => admin.listGroups({ states }), ['Stable', [3]]],
    ['listGroups', (admin, types) => admin.listGroups({ types }), ['classic', [null]]],
    ['describeGroups', (admin, ids) => admin.describeGroups(ids), [undefined, 'billing', [''], [3]]],
    ['deleteGroups', (admin, ids) => admin.deleteGroups(ids), [undefined, 'billing', [null]]],
    ['deleteOffsets', (admin, places) => admin.deleteOffsets('billing', places), [undefined, 'orders', [{}]]],
    [
      'setOffsets',
      (admin, offsets) => admin.setOffsets('billing', offsets),
      [undefined, {}, [{ topic: 'orders', partition: 0 }], [{ topic: 'orders', partition: 0, offset: -1 }]],
    ],
    [
      'resetOffsets',
      (admin, options) => admin.resetOffsets('billing', options),
      [
        undefined,
        {},
        { to: 'begin' },
        { to: { offset: -1 } },
        { to: { offset: 1, shiftBy: 1 } },
        { to: 'latest', topics: 'orders' },
        { to: 'latest', topics: ['orders'], partitions: [] },
        { to: 'latest', dryRun: 'no' },
      ],
    ],
    ['admin', (admin, timeoutMs) => admin.describeTopics(null, { timeoutMs }), [Number.NaN, -1, '3']],
  ]

  it.each(refused)('says what to give %s, before anything is sent', async (call, ask, wrong) => {
    const cluster = createMemoryCluster()
    const messaging = createMessaging({ driver: memory({ cluster }) })
    for (const input of wrong) {
      const failure: unknown = await ask(messaging.admin, input as never).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(ConfigError)
      expect((failure as ConfigError).message).toMatch(new RegExp(`^${call}: .*\\n.*is .*; write `))
    }
    await messaging.close()
    await cluster.close()
  })

  it('shows where a group would go on, kept within the log, and sets it only when told to', async () => {
    const cluster = createMemoryCluster()
    const messaging = createMessaging({ driver: memory({ cluster }) })
    const { admin } = messaging
    cluster.createTopic('orders', { partitions: 3 })
    const record = { key: null, value: Buffer.from('x'), headers: [] }
    for (const partition of [0, 1]) {
      const records = [1_000, 2_000, 3_000].map((timestamp) => ({ ...record, timestamp }))
      cluster.appendTransaction('orders', partition, records, 'commit')
    }
    cluster.deleteRecordsBefore('orders', 1, 2)
    const at = (partition: number, offset: number) => ({ topic: 'orders', partition, offset })
    await admin.setOffsets('billing', [at(0, 3), at(1, 3)])
    const committed = async () => {
      const offsets = await admin.committedOffsets('billing')
      return offsets.map(({ partition, offset }) => at(partition, offset)).sort((a, b) => a.partition - b.partition)
    }
    const offsets = async (options: Parameters<Admin['resetOffsets']>[1]) =>
      (await admin.resetOffsets('billing', options)).map(({ offset }) => offset)

    expect(await admin.resetOffsets('billing', { to: 'earliest' })).toEqual([
      { ...at(0, 0), from: 3, earliest: 0, latest: 4 },
      { ...at(1, 2), from: 3, earliest: 2, latest: 4 },
    ])
    expect(await offsets({ to: { timestamp: 2_000 } })).toEqual([1, 2])
    expect(await offsets({ to: { offset: 99 } })).toEqual([4, 4])
    expect(await offsets({ to: { shiftBy: -2 }, topics: ['orders'] })).toEqual([1, 2, 0])
    expect(await committed()).toEqual([at(0, 3), at(1, 3)])
    expect(await offsets({ to: 'latest', partitions: [{ topic: 'orders', partition: 2 }], dryRun: false })).toEqual([0])
    expect(await committed()).toEqual([at(0, 3), at(1, 3), at(2, 0)])
    await expect(admin.resetOffsets('billing', { to: 'latest', topics: ['order'] })).rejects.toThrow('"order" does not')
    await messaging.close()
    await cluster.close()
  })

  it('has nothing to delete of a group that nobody knows, and says so at once', async () => {
    const cluster = createMemoryCluster()
    const messaging = createMessaging({ driver: memory({ cluster }) })
    cluster.createTopic('orders')
    await messaging.admin.deleteOffsets('nobody', [{ topic: 'orders', partition: 0 }], { timeoutMs: 1_000 })
    expect(await messaging.admin.deleteGroups(['nobody'], { timeoutMs: 1_000 })).toEqual([])
    await messaging.close()
    await cluster.close()
  })

  it('describes groups also where brokers offer the protocol of Kafka 4 and have not switched it on', async () => {
    const cluster = createMemoryCluster({ groupVersion: 0 })
    const messaging = createMessaging({ driver: memory({ cluster }) })
    cluster.createTopic('orders')
    await messaging.admin.setOffsets('billing', [{ topic: 'orders', partition: 0, offset: 0 }])
    const described = await messaging.admin.describeGroups(['nobody', 'billing'])
    expect(described).toMatchObject([{ groupId: 'billing', type: 'classic', state: 'Empty' }])
    await messaging.close()
    await cluster.close()
  })

  it('gives a partition back to its first replica once that is in sync, and says where it cannot', async () => {
    const cluster = createMemoryCluster({ brokers: 3 })
    const messaging = createMessaging({ driver: memory({ cluster }) })
    cluster.createTopic('orders', { partitions: 2, replicationFactor: 3 })
    const places = [0, 1].map((partition) => ({ topic: 'orders', partition }))
    const leaders = async () => {
      const [topic] = await messaging.admin.describeTopics(['orders'])
      return topic?.partitions.map(({ leader, replicas }) => replicas.indexOf(leader))
    }
    const outcomes = async () => (await messaging.admin.electLeaders(places)).map(({ outcome }) => outcome)
    // The last replica of one, and the second of the other: the same broker.
    cluster.faults.moveLeader('orders', 0, 2)
    cluster.faults.moveLeader('orders', 1, 2)
    expect(await leaders()).toEqual([2, 1])
    const [first] = (await messaging.admin.describeTopics(['orders']))[0]?.partitions[1]?.replicas ?? []
    cluster.faults.stopBroker(first as number)
    expect(await outcomes()).toEqual(['elected', 'not-available'])
    expect(await leaders()).toEqual([0, 1])
    cluster.faults.startBroker(first as number)
    expect(await outcomes()).toEqual(['leads-already', 'elected'])
    expect(await leaders()).toEqual([0, 0])
    await messaging.close()
    await cluster.close()
  })

  it('tells who has all that was acknowledged while too few replicas are in sync', async () => {
    const cluster = createMemoryCluster({ brokers: 3 })
    const messaging = createMessaging({ driver: memory({ cluster }), durability: 'off' })
    const { admin } = messaging
    cluster.createTopic('orders', { replicationFactor: 3, configs: { 'min.insync.replicas': '2' } })
    const orders = defineTopic({ name: 'orders', value: string() })
    await messaging.producer().send(orders, 'kept')
    expect(await admin.eligibleLeaders(['orders', 'nowhere'])).toEqual([])
    const [leader, second, third] = (await admin.describeTopics(['orders']))[0]?.partitions[0]?.replicas ?? []
    cluster.faults.stopBroker(second as number)
    expect(await admin.eligibleLeaders(['orders'])).toEqual([])
    cluster.faults.stopBroker(third as number)
    expect(await admin.eligibleLeaders(['orders'])).toEqual([
      { topic: 'orders', partition: 0, leader, isr: [leader], eligible: [second, third], lastKnown: [] },
    ])
    await messaging.close({ timeoutMs: 0, force: true })
    await cluster.close()
  })

  it('makes topics by their names, with numbers and flags as configs', async () => {
    const cluster = createMemoryCluster()
    const messaging = createMessaging({ driver: memory({ cluster }) })
    const configs = { 'retention.ms': 3_600_000, 'unclean.leader.election.enable': true }
    expect(await messaging.admin.createTopics([{ name: 'a' }, { name: 'b', partitions: 2, configs }])).toEqual([
      'a',
      'b',
    ])
    const told = await messaging.admin.describeConfig('topic', 'b')
    expect([told.get('retention.ms'), told.get('unclean.leader.election.enable')]).toEqual(['3600000', 'true'])
    await messaging.close()
    await cluster.close()
  })

  it('names the option that was meant, instead of going on without it', async () => {
    const cluster = createMemoryCluster()
    const messaging = createMessaging({ driver: memory({ cluster }) })
    const orders = { name: 'orders', partitons: 3 }
    await expect(messaging.admin.createTopics([orders as never])).rejects.toThrow('did you mean partitions?')
    await expect(messaging.admin.describeTopics(null, { timeout: 5 } as never)).rejects.toThrow(
      'did you mean timeoutMs?',
    )
    expect(cluster.topicNames()).toEqual([])
    await messaging.close()
    await cluster.close()
  })
})
