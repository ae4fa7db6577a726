import assert from 'node:assert/strict'
import { TidemarkError } from '../../errors.js'
import type { ContractCase } from './contract-case.js'
import { numbers, record } from './contract-world.js'

const group = 'administration'

function newTopic(name: string, partitions = 1, configs: Readonly<Record<string, string>> = {}) {
  return { name, partitions, replicationFactor: -1, configs }
}

export const administrationCases: readonly ContractCase[] = [
  {
    group,
    name: 'topics that are missing are created, those that exist are left as they are',
    async run(world) {
      const admin = world.admin()
      const present = await world.topic(2)
      const missing = world.name('topic')
      await world.write(present, 0, ['kept'])
      const created = await admin.createTopics([newTopic(present, 7), newTopic(missing, 3)], world.deadline())
      assert.deepEqual(created, [missing])
      const described = await admin.describeTopics([present, missing], world.deadline())
      const counts = Object.fromEntries(described.map(({ name, partitions }) => [name, partitions.length]))
      assert.deepEqual(counts, { [present]: 2, [missing]: 3 })
      assert.deepEqual(await admin.createTopics([newTopic(missing, 3)], world.deadline()), [])
    },
  },
  {
    group,
    name: 'a topic can be written to as soon as its creation has resolved',
    async run(world) {
      const name = world.name('topic')
      const producer = await world.producer()
      await world.admin().createTopics([newTopic(name, 4)], world.deadline())
      const bases = await Promise.all([0, 1, 2, 3].map((at) => world.store(producer, name, at, ['x'])))
      assert.deepEqual(bases, [0, 0, 0, 0])
    },
  },
  {
    group,
    name: 'a topic is created with the settings given',
    async run(world) {
      const name = world.name('topic')
      const configs = { 'retention.ms': '3600000', 'cleanup.policy': 'compact' }
      await world.admin().createTopics([newTopic(name, 1, configs)], world.deadline())
      const config = await world.admin().describeConfig('topic', name, world.deadline())
      assert.equal(config.get('retention.ms'), '3600000')
      assert.equal(config.get('cleanup.policy'), 'compact')
      assert.equal(config.get('message.timestamp.type'), 'CreateTime')
    },
  },
  {
    group,
    name: 'settings of a topic are changed one by one, taken back, and refused with the words of the broker',
    async run(world) {
      const admin = world.admin()
      const topic = await world.topic(1, { 'retention.ms': '3600000', 'cleanup.policy': 'compact' })
      const changes = { 'retention.ms': '7200000', 'cleanup.policy': null }
      await admin.alterConfig('topic', topic, changes, world.deadline())
      const isChanged = async () => {
        const config = await admin.describeConfig('topic', topic, world.deadline())
        return config.get('retention.ms') === '7200000' && config.get('cleanup.policy') === 'delete'
      }
      await world.until('every broker that is asked tells it', isChanged)
      await assert.rejects(admin.alterConfig('topic', topic, { 'no.such.setting': '1' }, world.deadline()), (error) => {
        assert.ok(error instanceof TidemarkError)
        assert.equal(error.code, 'invalid-config')
        assert.match(error.message, new RegExp(`${topic}.*no\\.such\\.setting`))
        return true
      })
    },
  },
  {
    group,
    name: 'records before an offset are deleted, each partition by its leader, and the log begins there',
    async run(world) {
      const admin = world.admin()
      const topic = await world.topic(3)
      for (const partition of [0, 1, 2]) await world.write(topic, partition, numbers(10))
      const records = [
        { topic, partition: 2, before: 4 },
        { topic, partition: 0, before: -1 },
      ]
      assert.deepEqual(await admin.deleteRecords(records, world.deadline()), [4, 10])
      const places = [0, 1, 2].map((partition) => ({ topic, partition }))
      const starts = await admin.listOffsets(places, 'earliest', 'read-uncommitted', world.deadline())
      assert.deepEqual(starts, [10, 0, 4])
      await assert.rejects(admin.deleteRecords([{ topic, partition: 1, before: 99 }], world.deadline()), (error) => {
        assert.ok(error instanceof TidemarkError)
        assert.equal(error.code, 'offset-out-of-range')
        return true
      })
    },
  },
  {
    group,
    name: 'partitions whose replicas are all in sync rely on nobody else, and topics that are not there are left out',
    async run(world) {
      const admin = world.admin()
      const topic = await world.topic(2)
      const found = await admin.eligibleLeaders([topic, world.name('nowhere')], world.deadline())
      assert.deepEqual(found ?? [], [])
    },
  },
  {
    group,
    name: 'the preferred leader is elected where it does not lead',
    async run(world) {
      const admin = world.admin()
      const topic = await world.topic(2)
      const places = [0, 1].map((partition) => ({ topic, partition }))
      const elected = await admin.electLeaders(places, world.deadline())
      assert.deepEqual(
        elected,
        places.map((place) => ({ ...place, outcome: 'leads-already' })),
      )
    },
  },
  {
    group,
    name: 'a topic with an impossible name, setting or replication factor is refused with an error that names it',
    async run(world) {
      const admin = world.admin()
      const refused = [
        [newTopic('no spaces allowed'), 'invalid-topic-exception'],
        [newTopic(world.name('topic'), 1, { 'no.such.setting': '1' }), 'invalid-config'],
        [{ ...newTopic(world.name('topic')), replicationFactor: 30 }, 'invalid-replication-factor'],
      ] as const
      for (const [topic, code] of refused) {
        await assert.rejects(admin.createTopics([topic], world.deadline()), (error) => {
          assert.ok(error instanceof TidemarkError)
          assert.equal(error.code, code)
          assert.match(error.message, new RegExp(topic.name))
          return true
        })
      }
    },
  },
  {
    group,
    name: 'a topic whose name collides with that of another is refused with the words of the broker',
    async run(world) {
      const admin = world.admin()
      const name = world.name('topic')
      await admin.createTopics([newTopic(`${name}.a`)], world.deadline())
      await assert.rejects(admin.createTopics([newTopic(`${name}_a`)], world.deadline()), (error) => {
        assert.ok(error instanceof TidemarkError)
        assert.equal(error.code, 'invalid-topic-exception')
        assert.match(error.message, new RegExp(`collides with existing topics?: ${name}\\.a`))
        return true
      })
    },
  },
  {
    group,
    name: 'offsets of what does not exist are refused within seconds, and the error names it',
    async run(world) {
      const admin = world.admin()
      const topic = await world.topic(2)
      const missing = [
        { topic, partition: 7 },
        { topic: world.name('missing'), partition: 0 },
      ]
      for (const place of missing) {
        const begun = world.now()
        await assert.rejects(admin.listOffsets([place], 'latest', 'read-uncommitted', world.deadline()), (error) => {
          assert.ok(error instanceof TidemarkError)
          assert.equal(error.code, 'unknown-topic-or-partition')
          assert.match(error.message, new RegExp(place.topic))
          return true
        })
        assert.ok(world.now() - begun < 5_000)
      }
    },
  },
  {
    group,
    name: 'descriptions leave out topics that do not exist, and tell leaders, replicas and in-sync replicas',
    async run(world) {
      const topic = await world.topic(3)
      const described = await world.admin().describeTopics([topic, world.name('missing')], world.deadline())
      assert.equal(described.length, 1)
      assert.equal(described[0]?.name, topic)
      for (const { leader, replicas, isr } of described[0].partitions) {
        assert.ok(leader >= 0 && replicas.includes(leader) && isr.includes(leader))
      }
      const numbers = described[0].partitions.map(({ partition }) => partition).sort()
      assert.deepEqual(numbers, [0, 1, 2])
    },
  },
  {
    group,
    name: 'the cluster tells its brokers with their addresses, and which of them is the controller',
    async run(world) {
      const topic = await world.topic(3)
      const { brokers, controllerId } = await world.admin().describeCluster(world.deadline())
      const ids = brokers.map(({ nodeId }) => nodeId)
      assert.equal(new Set(ids).size, brokers.length)
      assert.ok(ids.includes(controllerId), `the controller ${controllerId} is one of the brokers`)
      for (const { host, port } of brokers) assert.ok(host !== '' && port > 0)
      const [described] = await world.admin().describeTopics([topic], world.deadline())
      for (const { replicas } of described?.partitions ?? []) {
        for (const replica of replicas) assert.ok(ids.includes(replica), `broker ${replica} is listed`)
      }
    },
  },
  {
    group,
    name: 'describing null lists all topics',
    async run(world) {
      const topics = [await world.topic(), await world.topic()]
      const names = (await world.admin().describeTopics(null, world.deadline())).map(({ name }) => name)
      for (const topic of topics) assert.ok(names.includes(topic), `${topic} is listed`)
    },
  },
  {
    group,
    name: 'the configuration of a broker can be read',
    async run(world) {
      const topic = await world.topic()
      const [described] = await world.admin().describeTopics([topic], world.deadline())
      const broker = String(described?.partitions[0]?.leader)
      const config = await world.admin().describeConfig('broker', broker, world.deadline())
      assert.ok(config.size > 0)
      assert.ok(config.has('min.insync.replicas'))
    },
  },
  {
    group,
    name: 'the configuration of a topic that does not exist is an error that names it',
    async run(world) {
      const missing = world.name('missing')
      await assert.rejects(world.admin().describeConfig('topic', missing, world.deadline()), {
        code: 'unknown-topic-or-partition',
        topic: missing,
      })
    },
  },
  {
    group,
    name: 'offsets are listed in the order asked for: earliest and latest',
    async run(world) {
      const topic = await world.topic(3)
      await world.write(topic, 1, numbers(4))
      await world.write(topic, 2, numbers(2))
      const partitions = [2, 0, 1].map((partition) => ({ topic, partition }))
      const admin = world.admin()
      assert.deepEqual(await admin.listOffsets(partitions, 'earliest', 'read-committed', world.deadline()), [0, 0, 0])
      assert.deepEqual(await admin.listOffsets(partitions, 'latest', 'read-committed', world.deadline()), [2, 0, 4])
      assert.deepEqual(await admin.listOffsets([], 'latest', 'read-committed', world.deadline()), [])
    },
  },
  {
    group,
    name: 'the earliest offset moves when records are deleted',
    needs: ['deleteRecordsBefore'],
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(6))
      await world.use('deleteRecordsBefore')(topic, 0, 4)
      const partitions = [{ topic, partition: 0 }]
      assert.deepEqual(await world.admin().listOffsets(partitions, 'earliest', 'read-committed', world.deadline()), [4])
      assert.deepEqual(await world.admin().listOffsets(partitions, 'latest', 'read-committed', world.deadline()), [6])
    },
  },
  {
    group,
    name: 'the offset of a time is the first record at or after it; after the last record it is the end',
    async run(world) {
      const topic = await world.topic(2)
      const start = world.wallTime() - 1_000_000
      for (const step of [0, 10_000, 20_000]) {
        await world.write(topic, 0, [record('x', { timestamp: start + step })])
      }
      const partitions = [
        { topic, partition: 0 },
        { topic, partition: 1 },
      ]
      const at = (timestamp: number) =>
        world.admin().listOffsets(partitions, { timestamp }, 'read-committed', world.deadline())
      assert.deepEqual(await at(start - 1), [0, 0])
      assert.deepEqual(await at(start + 10_000), [1, 0])
      assert.deepEqual(await at(start + 10_001), [2, 0])
      assert.deepEqual(await at(start + 20_001), [3, 0])
    },
  },
  {
    group,
    name: 'the offsets of a partition that does not exist are an error by the deadline',
    async run(world) {
      const topic = await world.topic()
      const began = world.now()
      const asked = world
        .admin()
        .listOffsets([{ topic, partition: 9 }], 'latest', 'read-committed', world.deadline(2_000))
      await assert.rejects(asked, TidemarkError)
      assert.ok(world.now() - began <= 2_000 + world.slackMs, 'within its deadline')
    },
  },
  {
    group,
    name: 'what a group has committed is listed, all of it or the partitions asked for',
    async run(world) {
      const topic = await world.topic(3)
      const consumer = world.consumer(topic)
      await world.startHolding(consumer, 3)
      assert.equal(await consumer.commit(topic, 0, 0, 'zero'), 'committed')
      assert.equal(await consumer.commit(topic, 2, 0, 'two'), 'committed')
      const groupId = consumer.settings.groupId ?? ''
      const admin = world.admin()
      const texts = async (partitions: readonly { topic: string; partition: number }[] | null) =>
        (await admin.committedOffsets(groupId, partitions, world.deadline()))
          .map(({ partition, metadata }) => `${partition} ${metadata}`)
          .sort()
      assert.deepEqual(await texts(null), ['0 zero', '2 two'])
      assert.deepEqual(await texts([1, 2].map((partition) => ({ topic, partition }))), ['2 two'])
    },
  },
  {
    group,
    name: 'a group that nobody has used has committed nothing',
    async run(world) {
      const topic = await world.topic()
      const groupId = world.name('unused')
      assert.deepEqual(await world.admin().committedOffsets(groupId, null, world.deadline()), [])
      const asked = [{ topic, partition: 0 }]
      assert.deepEqual(await world.admin().committedOffsets(groupId, asked, world.deadline()), [])
    },
  },
  {
    group,
    name: 'a deleted topic is gone when its deletion has resolved, and deleting what is missing is no error',
    async run(world) {
      const [topic, other] = [await world.topic(), await world.topic()]
      await world.write(topic, 0, ['x'])
      const admin = world.admin()
      await admin.deleteTopics([topic, world.name('missing')], world.deadline())
      const left = (await admin.describeTopics([topic, other], world.deadline())).map(({ name }) => name)
      assert.deepEqual(left, [other])
    },
  },
  {
    group,
    name: 'a topic that is made anew begins at offset 0',
    async run(world) {
      const topic = await world.topic()
      await world.write(topic, 0, numbers(3))
      const admin = world.admin()
      await admin.deleteTopics([topic], world.deadline())
      await admin.createTopics([newTopic(topic)], world.deadline())
      const producer = await world.producer()
      assert.equal(await world.store(producer, topic, 0, ['new']), 0)
      const reader = await world.reader(topic)
      await world.until('the new record is read', () => reader.count() >= 1)
      assert.deepEqual(reader.values(), ['new'])
    },
  },
  {
    group,
    name: 'a topic grows to the partitions asked for, and never shrinks',
    async run(world) {
      const topic = await world.topic(2)
      const admin = world.admin()
      await admin.createPartitions(topic, 5, world.deadline())
      const [described] = await admin.describeTopics([topic], world.deadline())
      assert.equal(described?.partitions.length, 5)
      await assert.rejects(admin.createPartitions(topic, 3, world.deadline()), { code: 'invalid-partitions' })
      await assert.rejects(admin.createPartitions(world.name('missing'), 3, world.deadline()), {
        code: 'unknown-topic-or-partition',
      })
    },
  },
  {
    group,
    name: 'closing an admin client is at once and may be done twice; afterwards it answers with an error',
    async run(world) {
      const admin = world.admin()
      await admin.describeTopics(null, world.deadline())
      const began = world.now()
      await Promise.all([admin.close(), admin.close()])
      await admin.close()
      await assert.rejects(admin.describeTopics(null, world.deadline()), TidemarkError)
      assert.ok(world.now() - began <= 100 + world.slackMs, 'without waiting for the deadline')
    },
  },
]
